"""Statistics of real songs, from which `ml.training.sample_data` generates synthetic songs.

The Million Song Dataset's terms allow redistributing statistics, but not rows. These were made by
`notebooks/sample_statistics.py`.

Each audio column is transformed to a normal distribution by ranks. On this scale, genres differ by their
means, and songs of a genre vary by a few factors shared by all columns, plus independent noise per column.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ml.songs.contract import NUMBER_COLUMNS

STATISTICS_FILE = Path(__file__).with_name("sample_statistics.json")

QUANTILES = (0.01, 0.025, 0.05, *(round(0.1 * step, 1) for step in range(1, 10)), 0.95, 0.975, 0.99)
"""Quantiles of a column that are stored; samples stay between the first and the last."""

REAL_COLUMNS = [column.name for column in NUMBER_COLUMNS if not column.integer]
INTEGER_COLUMNS = [column.name for column in NUMBER_COLUMNS if column.integer]


@dataclass(frozen=True, slots=True)
class SampleStatistics:
    """Statistics of songs by genre; r = 151 real columns, g genres, k = 12 factors, w words.

    Attributes:
        songs: number of songs of each genre.
        quantiles: shape (r, 15): values of each real column at `QUANTILES`, over all genres.
        means: shape (g, r): each genre's mean on the normal scale.
        factors: shape (k, r): factors of the variation within a genre.
        own: shape (r,): standard deviation of each column's residual.
        integers: by column and genre, the number of songs with each value: `{"key": [[...], ...]}`.
        tags: shape (g, 15): number of tags of a song at `QUANTILES`, by genre.
        words: in the order of the vocabulary.
        word_songs: shape (g, w): number of songs of a genre with each word.
    """

    genres: list[str]
    songs: list[int]
    quantiles: list[list[float]]
    means: list[list[float]]
    factors: list[list[float]]
    own: list[float]
    integers: dict[str, list[list[int]]]
    tags: list[list[float]]
    words: list[str]
    word_songs: list[list[int]]

    @classmethod
    def load(cls) -> SampleStatistics:
        """Read the statistics in the package."""
        return cls(**json.loads(STATISTICS_FILE.read_text(encoding="utf-8")))
