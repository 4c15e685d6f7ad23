"""Enums of other rooms, as types of the schema with a description of each value."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from app.database.tables import BatchStatus as StoredBatchStatus
from ml.song_file import OnInvalidRow as OnInvalidRowChoice
from ml.song_file import SongFileProblemKind as ProblemKind

Member = TypeVar("Member", bound=type[Enum])


def _described(enum: Member, name: str, description: str, values: Mapping[Enum, str]) -> Member:
    """Register an enum that knows nothing of GraphQL; every member needs its description."""
    strawberry.enum(enum, name=name, description=description)
    definition: StrawberryEnumDefinition = enum.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values[enum[value.name]]
    return enum


BatchStatus = _described(
    StoredBatchStatus,
    "BatchStatus",
    "How far a batch is.",
    {
        StoredBatchStatus.QUEUED: "It waits for a worker.",
        StoredBatchStatus.RUNNING: "Its songs are being classified.",
        StoredBatchStatus.SUCCEEDED: "All its songs are stored.",
        StoredBatchStatus.FAILED: "Nothing of it is stored; `error` says why.",
    },
)

OnInvalidRow = _described(
    OnInvalidRowChoice,
    "OnInvalidRow",
    "What to do with a row that holds a wrong value.",
    {
        OnInvalidRowChoice.REJECT_FILE: "Refuse everything and store nothing.",
        OnInvalidRowChoice.SKIP_ROW: "Leave the row out, count it and report it.",
    },
)

SongFileProblemKind = _described(
    ProblemKind,
    "SongFileProblemKind",
    "What kind of thing is wrong.",
    {
        ProblemKind.FILE_NAME: "The file's name does not end in .csv.",
        ProblemKind.EMPTY_FILE: "The file is empty.",
        ProblemKind.NO_ROWS: "The file has a header and no rows.",
        ProblemKind.NOT_TEXT: "It is not text: a workbook, an archive, another binary, or a NUL in a text.",
        ProblemKind.ENCODING: "It is not UTF-8.",
        ProblemKind.SEPARATOR: "The columns are not separated by commas.",
        ProblemKind.MISSING_COLUMN: "A column is missing.",
        ProblemKind.DUPLICATE_COLUMN: "A column is there twice.",
        ProblemKind.UNCLOSED_QUOTE: "A quote is opened and never closed.",
        ProblemKind.ROW_TOO_LONG: "A row is too long to be a song.",
        ProblemKind.RAGGED_ROW: "A row has more or fewer values than there are columns.",
        ProblemKind.NOT_A_NUMBER: "A number is expected.",
        ProblemKind.NOT_AN_INTEGER: "A whole number is expected.",
        ProblemKind.OUT_OF_RANGE: "The number is outside the column's range.",
        ProblemKind.TEXT_TOO_LONG: "The text is longer than the column allows.",
    },
)
