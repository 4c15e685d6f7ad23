"""Enums of other rooms, as types of the schema with a description of each value."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from app.database.tables import BatchStatus
from ml.drift import FeatureGroup
from ml.song_file import OnInvalidRow, SongFileProblemKind

__all__ = ["BatchStatus", "FeatureGroup", "OnInvalidRow", "SongFileProblemKind"]


def _describe(enum: type[Enum], name: str, description: str, values: Mapping[Enum, str]) -> None:
    """Register an enum that knows nothing of GraphQL; every member needs its description."""
    strawberry.enum(enum, name=name, description=description)
    definition: StrawberryEnumDefinition = enum.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values[enum[value.name]]


_describe(
    BatchStatus,
    "BatchStatus",
    "How far a batch is.",
    {
        BatchStatus.QUEUED: "It waits for a worker.",
        BatchStatus.RUNNING: "Its songs are being classified.",
        BatchStatus.SUCCEEDED: "All its songs are stored.",
        BatchStatus.FAILED: "Nothing of it is stored; `error` says why.",
        BatchStatus.CANCELLED: "It was stopped by `cancelBatch`; nothing of it is stored.",
    },
)

_describe(
    FeatureGroup,
    "FeatureGroup",
    "Features of songs that come from one place, and so go wrong together.",
    {
        FeatureGroup.METADATA: "Loudness, tempo, time signature, key, mode and duration.",
        FeatureGroup.AUDIO: "The 148 audio features.",
        FeatureGroup.LYRICS: "What is made of the tags: languages, themes, rarity and likeness to genres.",
    },
)

_describe(
    OnInvalidRow,
    "OnInvalidRow",
    "What to do with a row that holds a wrong value.",
    {
        OnInvalidRow.REJECT_FILE: "Refuse everything and store nothing.",
        OnInvalidRow.SKIP_ROW: "Leave the row out, count it and report it.",
    },
)

_describe(
    SongFileProblemKind,
    "SongFileProblemKind",
    "What kind of thing is wrong.",
    {
        SongFileProblemKind.FILE_NAME: "The file's name does not end in .csv, or is too long.",
        SongFileProblemKind.EMPTY_FILE: "The file is empty.",
        SongFileProblemKind.NO_ROWS: "The file has a header and no rows.",
        SongFileProblemKind.NOT_TEXT: "It is no text: a workbook, an archive, a NUL in a title.",
        SongFileProblemKind.ENCODING: "It is not UTF-8.",
        SongFileProblemKind.SEPARATOR: "The columns are not separated by commas.",
        SongFileProblemKind.MISSING_COLUMN: "A column is missing.",
        SongFileProblemKind.DUPLICATE_COLUMN: "A column is there twice.",
        SongFileProblemKind.TOO_MANY_COLUMNS: "The file has more columns than a song file may have.",
        SongFileProblemKind.UNCLOSED_QUOTE: "A quote is opened and never closed.",
        SongFileProblemKind.ROW_TOO_LONG: "A row, or the header, is too long to be a song's.",
        SongFileProblemKind.RAGGED_ROW: "A row has more or fewer values than there are columns.",
        SongFileProblemKind.NOT_A_NUMBER: "A number is expected.",
        SongFileProblemKind.NOT_AN_INTEGER: "A whole number is expected.",
        SongFileProblemKind.OUT_OF_RANGE: "The number is outside the column's range.",
        SongFileProblemKind.TEXT_TOO_LONG: "The text is longer than the column allows.",
    },
)
