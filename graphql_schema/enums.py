"""Enums of other packages as schema types, with descriptions."""

from __future__ import annotations

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


def _describe(enum: type[Enum], description: str, **values: str) -> None:
    """Register an enum; every member needs a description."""
    strawberry.enum(enum, description=description)
    definition: StrawberryEnumDefinition = enum.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values[value.name]


_describe(
    BatchStatus,
    "The state of a batch.",
    QUEUED="Waiting for a worker.",
    RUNNING="Being classified.",
    WAITING="Waiting for the cause in `waitingReason` to clear; it then resumes on its own.",
    SUCCEEDED="All songs are stored.",
    FAILED="Failed, with nothing stored; see `error`.",
    CANCELLED="Stopped by `cancelBatch`, with nothing stored.",
)

_describe(
    SongOrder,
    "The order of a list of songs.",
    TITLE="By title in code point order, then by track ID.",
    CONFIDENCE="Least confident first, then by track ID.",
    CONFIDENCE_DESC="Most confident first, then by descending track ID.",
)

_describe(
    FeatureGroup,
    "A group of song features with a common source.",
    METADATA="Loudness, tempo, time signature, key, mode and duration.",
    AUDIO="The 148 audio features.",
    LYRICS=("Lyric statistics: languages, themes, rarity of words, and similarity to genres."),
)

_describe(
    OnInvalidRow,
    "What to do with a row that has an invalid value.",
    REJECT_FILE="Refuse the entire file and store nothing.",
    SKIP_ROW="Skip the row, count it and report it.",
)

_describe(
    OnMissingValue,
    "What to do with a row that has missing values.",
    SKIP_ROW="Skip the row and count it.",
    CLASSIFY=(
        "Classify the row with the values present. A track ID, a title and at least one number or "
        "tag are required; all other columns may be absent. Accuracy decreases with the amount of "
        "missing data."
    ),
)

_describe(
    SongFileProblemKind,
    "The kind of problem.",
    FILE_NAME="The file name does not end in .csv or is too long.",
    EMPTY_FILE="The file is empty.",
    NO_ROWS="The file has a header but no rows.",
    NOT_TEXT=("The file is not text: a workbook, an archive, or text containing a NUL character."),
    ENCODING="The file is not valid UTF-8.",
    SEPARATOR="The columns are not separated by commas.",
    NOT_A_HEADER="The first line does not name the columns of a song file.",
    MISSING_COLUMN="A column is missing.",
    DUPLICATE_COLUMN="A column appears twice.",
    TOO_MANY_COLUMNS="The file has too many columns.",
    UNCLOSED_QUOTE="A quote is never closed.",
    UNDOUBLED_QUOTE="A quote inside a quoted cell is not doubled.",
    ROW_TOO_LONG="A row or the header is too long.",
    RAGGED_ROW="A row has a different number of values than the header.",
    NOT_A_NUMBER="The value is not a number.",
    NOT_AN_INTEGER="The value is not an integer.",
    OUT_OF_RANGE="The number is outside the column's range.",
    TEXT_TOO_LONG="The text exceeds the maximum length of the column.",
)
