"""The song contract: the columns of songs, their valid values, and songs in memory.

All code that reads, generates, trains on or classifies songs uses these names, order and ranges.
`data/README.md` describes the columns for users.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

TRACK_ID = "trackID"
TITLE = "title"
TAGS = "tags"

MAX_TRACK_ID = 2**63 - 1
"""The largest track id: PostgreSQL stores it as a bigint."""

MAX_TITLE_LENGTH = 500
MAX_TAGS_LENGTH = 50_000


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """A numeric column; its range includes both ends."""

    name: str
    minimum: float
    maximum: float
    unit: str = ""
    integer: bool = False


METADATA_COLUMNS = (
    NumberColumn("loudness", -100, 50, "dB"),
    NumberColumn("tempo", 0, 1_000, "beats per minute"),
    NumberColumn("time_signature", 0, 7, "beats per bar", integer=True),
    NumberColumn("key", 0, 11, "pitch class", integer=True),
    NumberColumn("mode", 0, 1, integer=True),
    NumberColumn("duration", 0, 86_400, "seconds"),
)

AUDIO_FEATURE_COUNT = 148

AUDIO_COLUMNS = tuple(
    NumberColumn(f"vect_{number}", -1e12, 1e12) for number in range(1, AUDIO_FEATURE_COUNT + 1)
)

NUMBER_COLUMNS = METADATA_COLUMNS + AUDIO_COLUMNS
"""The 154 numeric columns, in the order of `Songs.numbers`."""

NUMBER_NAMES = tuple(column.name for column in NUMBER_COLUMNS)

SONG_COLUMNS = (TRACK_ID, TITLE, TAGS, *NUMBER_NAMES)
"""The 157 columns of a song file, in their usual order."""

MISSING_MARKERS = frozenset({"", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "null", "none"})
"""Spellings, in lower case, of a missing value in a *numeric* cell; in a text cell only the empty
string is missing, because a title can be "None"."""


def is_storable(text: str) -> bool:
    """Return whether a text can be stored as UTF-8: it has no NUL and no lone surrogate.

    JSON allows both as escapes; PostgreSQL does not.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


@dataclass(frozen=True, slots=True)
class Songs:
    """Valid songs by column.

    Attributes:
        track_ids: shape (n,), int64, each 0 or more.
        titles: n titles, none empty, in Unicode's composed form (NFC).
        tags: n comma-separated tag lists, in the same form; empty if they are missing.
        numbers: shape (n, 154), float32, NaN where missing, columns as in `NUMBER_COLUMNS`.
    """

    track_ids: IntArray
    titles: Sequence[str]
    tags: Sequence[str]
    numbers: Float32Array

    def __len__(self) -> int:
        return len(self.track_ids)

    @classmethod
    def concatenated(cls, chunks: Sequence[Songs]) -> Songs:
        """Return the songs of one or more chunks together, in their order."""
        return cls(
            np.concatenate([songs.track_ids for songs in chunks]),
            [title for songs in chunks for title in songs.titles],
            [tags for songs in chunks for tags in songs.tags],
            np.concatenate([songs.numbers for songs in chunks]),
        )

    def take(self, rows: npt.NDArray[np.intp] | Sequence[int] | slice) -> Songs:
        """Return the songs at these positions, in this order."""
        index = np.arange(len(self))[rows]
        return Songs(
            self.track_ids[index],
            [self.titles[i] for i in index],
            [self.tags[i] for i in index],
            self.numbers[index],
        )


def superseded_rows(track_ids: IntArray) -> BoolArray:
    """Return which songs, shape (n,), are superseded by a later song with the same track id."""
    superseded = np.ones(len(track_ids), np.bool_)
    _, from_end = np.unique(track_ids[::-1], return_index=True)
    superseded[len(track_ids) - 1 - from_end] = False
    return superseded
