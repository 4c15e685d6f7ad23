"""Enums of other packages as schema types, with descriptions."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from app.catalogue.repository import SongOrder
from app.database.tables import BatchStatus
from ml.model.drift import FeatureGroup
from ml.songs.problems import OnInvalidRow, OnMissingValue, SongFileProblemKind

__all__ = [
    "BatchStatus",
    "FeatureGroup",
    "OnInvalidRow",
    "OnMissingValue",
    "SongFileProblemKind",
    "SongOrder",
]


def _describe(enum: type[Enum], name: str, description: str, values: Mapping[Enum, str]) -> None:
    """Register an enum; every member needs a description."""
    strawberry.enum(enum, name=name, description=description)
    definition: StrawberryEnumDefinition = enum.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values[enum[value.name]]


_describe(
    BatchStatus,
    "BatchStatus",
    "The state of a batch.",
    {
        BatchStatus.QUEUED: "Waiting for a worker.",
        BatchStatus.RUNNING: "Being classified.",
        BatchStatus.WAITING: "Waiting for the cause in `waitingReason` to clear; it then resumes on its own.",
        BatchStatus.SUCCEEDED: "All songs are stored.",
        BatchStatus.FAILED: "Failed, with nothing stored; see `error`.",
        BatchStatus.CANCELLED: "Stopped by `cancelBatch`, with nothing stored.",
    },
)

_describe(
    SongOrder,
    "SongOrder",
    "The order of a list of songs.",
    {
        SongOrder.TITLE: "By title in code point order, then by track ID.",
        SongOrder.CONFIDENCE: "Least confident first, then by track ID.",
        SongOrder.CONFIDENCE_DESC: "Most confident first, then by descending track ID.",
    },
)

_describe(
    FeatureGroup,
    "FeatureGroup",
    "A group of song features with a common source.",
    {
        FeatureGroup.METADATA: "Loudness, tempo, time signature, key, mode and duration.",
        FeatureGroup.AUDIO: "The 148 audio features.",
        FeatureGroup.LYRICS: (
            "Lyric statistics: languages, themes, rarity of words, and similarity to genres."
        ),
    },
)

_describe(
    OnInvalidRow,
    "OnInvalidRow",
    "What to do with a row that has an invalid value.",
    {
        OnInvalidRow.REJECT_FILE: "Refuse the entire file and store nothing.",
        OnInvalidRow.SKIP_ROW: "Skip the row, count it and report it.",
    },
)

_describe(
    OnMissingValue,
    "OnMissingValue",
    "What to do with a row that has missing values.",
    {
        OnMissingValue.SKIP_ROW: "Skip the row and count it.",
        OnMissingValue.CLASSIFY: (
            "Classify the row with the values present. A track ID, a title and at least one number or "
            "tag are required; all other columns may be absent. Accuracy decreases with the amount of "
            "missing data."
        ),
    },
)

_describe(
    SongFileProblemKind,
    "SongFileProblemKind",
    "The kind of problem.",
    {
        SongFileProblemKind.FILE_NAME: "The file name does not end in .csv or is too long.",
        SongFileProblemKind.EMPTY_FILE: "The file is empty.",
        SongFileProblemKind.NO_ROWS: "The file has a header but no rows.",
        SongFileProblemKind.NOT_TEXT: (
            "The file is not text: a workbook, an archive, or text containing a NUL character."
        ),
        SongFileProblemKind.ENCODING: "The file is not valid UTF-8.",
        SongFileProblemKind.SEPARATOR: "The columns are not separated by commas.",
        SongFileProblemKind.NOT_A_HEADER: "The first line does not name the columns of a song file.",
        SongFileProblemKind.MISSING_COLUMN: "A column is missing.",
        SongFileProblemKind.DUPLICATE_COLUMN: "A column appears twice.",
        SongFileProblemKind.TOO_MANY_COLUMNS: "The file has too many columns.",
        SongFileProblemKind.UNCLOSED_QUOTE: "A quote is never closed.",
        SongFileProblemKind.UNDOUBLED_QUOTE: "A quote inside a quoted cell is not doubled.",
        SongFileProblemKind.ROW_TOO_LONG: "A row or the header is too long.",
        SongFileProblemKind.RAGGED_ROW: "A row has a different number of values than the header.",
        SongFileProblemKind.NOT_A_NUMBER: "The value is not a number.",
        SongFileProblemKind.NOT_AN_INTEGER: "The value is not an integer.",
        SongFileProblemKind.OUT_OF_RANGE: "The number is outside the column's range.",
        SongFileProblemKind.TEXT_TOO_LONG: "The text exceeds the maximum length of the column.",
    },
)
