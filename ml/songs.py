"""The song contract: which columns describe a song, what they may hold, and songs in memory.

Everything that reads, generates, trains on or classifies songs takes its column names, order and
ranges from here, so that a CSV, a JSON request and the training data cannot mean different things.
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
    """A numeric column of a song: its name, unit and the values it may hold (both ends included)."""

    name: str
    unit: str
    minimum: float
    maximum: float
    integer: bool
    description: str


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A text column of a song: its name and the number of characters it may hold."""

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
string is missing, because a song may be called "None"."""


def is_storable(text: str) -> bool:
    """Tell whether a text can be written as UTF-8 and stored: no NUL and no lone surrogate.

    JSON can carry both as escapes; PostgreSQL has neither.
    """
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


@dataclass(frozen=True, slots=True)
class Songs:
    """A number of complete and valid songs, column by column.

    Attributes:
        track_ids: shape (n,), int64, each 0 or more.
        titles: n titles, none empty.
        tags: n comma-separated tag lists, none empty.
        numbers: shape (n, 154), float64, finite, columns as in `NUMBER_COLUMNS`.
    """

    track_ids: npt.NDArray[np.int64]
    titles: Sequence[str]
    tags: Sequence[str]
    numbers: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        n = len(self.track_ids)
        if len(self.titles) != n or len(self.tags) != n or self.numbers.shape != (n, len(NUMBER_COLUMNS)):
            raise ValueError(
                f"columns of different lengths: {n} track ids, {len(self.titles)} titles, "
                f"{len(self.tags)} tags, numbers of shape {self.numbers.shape}"
            )

    def __len__(self) -> int:
        return len(self.track_ids)

    def take(self, rows: npt.NDArray[np.intp] | Sequence[int] | slice) -> Songs:
        """Return the songs at these positions, in this order."""
        index = np.arange(len(self))[rows]
        return Songs(
            track_ids=self.track_ids[index],
            titles=[self.titles[i] for i in index],
            tags=[self.tags[i] for i in index],
            numbers=self.numbers[index],
        )
