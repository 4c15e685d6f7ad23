"""Detect input drift: songs with features outside the training ranges.

A model's confidence does not show whether it was trained on similar songs. Songs from another feature
extractor, or lyrics in another form, also get genres, but their values are outside the training ranges.

A song is outside the range of a feature group if more than `TOLERANCE` of the group's values are outside the
range of the training songs: 1 of the 6 in METADATA, 8 of the 148 in AUDIO, 3 of the 42 in LYRICS. Missing
values are not outside. A song whose tags are all unknown is outside in LYRICS.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np

from ml.model.features import TAG_COUNT
from ml.songs.contract import METADATA_COLUMNS, NUMBER_NAMES, Float32Array, IntArray

TOLERANCE = 0.05
"""The share of a group's values allowed to be out of range."""


class FeatureGroup(StrEnum):
    """A group of features from one source, which drift together."""

    METADATA = "METADATA"
    AUDIO = "AUDIO"
    LYRICS = "LYRICS"


def by_group(songs_outside: IntArray) -> dict[str, int]:
    """Return numbers of songs, shape (groups,), by the group's name."""
    return dict(zip(map(str, FeatureGroup), songs_outside.tolist(), strict=True))


_STARTS = np.array([0, len(METADATA_COLUMNS), len(NUMBER_NAMES)])
"""First column of each group; see `ml.model.features.FeatureExtractor.names`."""


@dataclass(frozen=True)
class TrainingRanges:
    """The range of each feature, shape (features,), in the training songs."""

    lowest: Float32Array
    highest: Float32Array

    @classmethod
    def of(cls, features: Float32Array) -> Self:
        """Return the ranges of features, shape (n, features); unlimited for features without values."""
        lowest, highest = np.fmin.reduce(features), np.fmax.reduce(features)  # ignoring NaN
        empty = np.isnan(lowest)
        return cls(np.where(empty, -np.inf, lowest), np.where(empty, np.inf, highest))

    def songs_outside(self, features: Float32Array) -> IntArray:
        """Return how many of the n songs are outside the range of each group, shape (groups,)."""
        outside = (features < self.lowest) | (features > self.highest)
        values_outside = np.add.reduceat(outside, _STARTS, axis=1, dtype=np.int64)
        songs_outside = values_outside > TOLERANCE * np.diff(_STARTS, append=len(self.lowest))
        songs_outside[:, -1] |= features[:, TAG_COUNT] == 0
        songs: IntArray = songs_outside.sum(axis=0)
        return songs
