"""Input drift: songs unlike those that the model was trained on, told from their features alone.

A model says how sure it is, but not whether it knows what it is talking about: songs from another feature
extractor, or lyrics in another form, get genres as well. Their values leave the ranges of training.

A song is outside the range of a group of features if more than `TOLERANCE` of the group's values are below
the lowest or above the highest one among the songs trained on: one of the 6 in METADATA, 8 of the 148 in
AUDIO, 3 of the 43 in LYRICS. A missing value is not outside. Some songs always are: of new songs like those
trained on (the 428 of the held-out file, no artist in common) 3.3 % are outside in METADATA, 4.9 % in AUDIO
and 0.5 % in LYRICS; in four random folds of the songs trained on, five times dealt, 2.0, 1.7 and 1.1 %. Audio
features 1.5 times too large put 91 % outside, 10 times too large all.

All features have a range: the two linear models look at all of them, and their normal scores begin and end at
the least and the greatest value trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from ml.classifier import Classifier
from ml.songs import METADATA_COLUMNS, NUMBER_NAMES

TOLERANCE: Final = 0.05
"""The share of a group's values that may be out of range."""


class FeatureGroup(StrEnum):
    """Features that come from one place, and so go wrong together."""

    METADATA = "METADATA"
    AUDIO = "AUDIO"
    LYRICS = "LYRICS"


def by_group(songs_outside: npt.NDArray[np.int64]) -> dict[str, int]:
    """Return numbers of songs, shape (groups,), by the name of their group."""
    return dict(zip(map(str, FeatureGroup), songs_outside.tolist(), strict=True))


_STARTS: Final = np.array([0, len(METADATA_COLUMNS), len(NUMBER_NAMES)])
"""Where the features of each group begin; see `ml.features.FeatureExtractor.names`."""


@dataclass(frozen=True)
class TrainingRanges:
    """The range of each feature among the songs that a model was trained on.

    Attributes:
        lowest: shape (features,).
        highest: shape (features,).
    """

    lowest: npt.NDArray[np.float64]
    highest: npt.NDArray[np.float64]

    @classmethod
    def of(cls, classifier: Classifier, features: int) -> Self:
        """Return the ranges that a classifier of so many features knows.

        They are the outermost values of its linear models' normal scores. A feature that none of these looks
        at has no range, and no value is outside of it.
        """
        lowest, highest = np.full(features, -np.inf), np.full(features, np.inf)
        for model in (classifier.sound, classifier.words):
            starts = model.normal_scores.starts
            lowest[model.columns] = model.normal_scores.values[starts[:-1]]
            highest[model.columns] = model.normal_scores.values[starts[1:] - 1]
        return cls(lowest, highest)

    def songs_outside(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Return how many songs are outside the range of each group, shape (groups,).

        Args:
            features: shape (n, features).
        """
        outside = (features < self.lowest) | (features > self.highest)
        values_outside = np.add.reduceat(outside, _STARTS, axis=1, dtype=np.int64)
        songs: npt.NDArray[np.int64] = (values_outside > self._most_values_outside).sum(axis=0)
        return songs

    @cached_property
    def _most_values_outside(self) -> npt.NDArray[np.float64]:
        """How many values of each group a song may have outside, shape (groups,)."""
        return TOLERANCE * np.diff(_STARTS, append=len(self.lowest))
