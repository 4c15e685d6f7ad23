"""The song contract: the columns of songs, their valid values, and songs in memory.

All code that reads, generates, trains on or classifies songs uses these column names, order and ranges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TRACK_ID = "trackID"
TITLE = "title"
TAGS = "tags"

MAX_TRACK_ID = 2**63 - 1
"""The largest track id: PostgreSQL stores it as a bigint."""


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """A numeric column: its name, unit and range (inclusive)."""

    name: str
    unit: str
    minimum: float
    maximum: float
    integer: bool
    description: str


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A text column: its name and maximum number of characters."""

    name: str
    max_length: int
    description: str


TEXT_COLUMNS: tuple[TextColumn, ...] = (
    TextColumn(TITLE, 500, "Title of the song."),
    TextColumn(
        TAGS,
        50_000,
        "Comma-separated stemmed words of the lyrics, each once, in one fixed vocabulary order.",
    ),
)

METADATA_COLUMNS: tuple[NumberColumn, ...] = (
    NumberColumn("loudness", "dB", -100.0, 50.0, False, "Overall loudness."),
    NumberColumn("tempo", "beats per minute", 0.0, 1_000.0, False, "Estimated tempo; 0 if none was found."),
    NumberColumn("time_signature", "beats per bar", 0, 7, True, "Beats per bar; 0 if none was found."),
    NumberColumn("key", "pitch class", 0, 11, True, "Estimated key: 0 is C, 1 is C sharp, up to 11, B."),
    NumberColumn("mode", "", 0, 1, True, "1 major, 0 minor."),
    NumberColumn("duration", "seconds", 0.0, 86_400.0, False, "Length of the song."),
)

AUDIO_FEATURE_COUNT = 148

AUDIO_COLUMNS: tuple[NumberColumn, ...] = tuple(
    NumberColumn(
        f"vect_{number}",
        "",
        -1e12,
        1e12,
        False,
        "Pre-extracted statistic of timbre, chroma or MFCC, without temporal meaning.",
    )
    for number in range(1, AUDIO_FEATURE_COUNT + 1)
)

NUMBER_COLUMNS: tuple[NumberColumn, ...] = METADATA_COLUMNS + AUDIO_COLUMNS
"""The 154 numeric columns, in the order of `Songs.numbers`."""

NUMBER_NAMES: tuple[str, ...] = tuple(column.name for column in NUMBER_COLUMNS)

SONG_COLUMNS: tuple[str, ...] = (TRACK_ID, TITLE, TAGS, *NUMBER_NAMES)
"""The 157 columns of a song file, in their usual order."""

MISSING_MARKERS: frozenset[str] = frozenset({"", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "null", "none"})
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

    track_ids: npt.NDArray[np.int64]
    titles: Sequence[str]
    tags: Sequence[str]
    numbers: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        n = len(self.track_ids)
        if len(self.titles) != n or len(self.tags) != n or self.numbers.shape != (n, len(NUMBER_COLUMNS)):
            raise ValueError(
                f"columns of different lengths: {n} track ids, {len(self.titles)} titles, "
                f"{len(self.tags)} tags, numbers of shape {self.numbers.shape}"
            )
        if self.numbers.dtype != np.float32:
            raise ValueError(f"numbers are {self.numbers.dtype}, not float32")

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
            track_ids=self.track_ids[index],
            titles=[self.titles[i] for i in index],
            tags=[self.tags[i] for i in index],
            numbers=self.numbers[index],
        )


def superseded_rows(track_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return which songs are superseded by a later song with the same track id.

    Args:
        track_ids: shape (n,).

    Returns:
        Shape (n,).
    """
    superseded = np.ones(len(track_ids), np.bool_)
    _, from_end = np.unique(track_ids[::-1], return_index=True)
    superseded[len(track_ids) - 1 - from_end] = False
    return superseded
