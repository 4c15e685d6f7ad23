"""The ensemble: predicts genre probabilities of songs. Thread-safe."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ml.model.boosters import Classifier
from ml.model.drift import FeatureGroup, TrainingRanges
from ml.model.features import FeatureExtractor
from ml.model.manifest import Manifest
from ml.songs.contract import Songs

_ROWS_WORTH_A_THREAD = 200


@dataclass(frozen=True, slots=True)
class Prediction:
    """The predictions for n songs.

    Attributes:
        probabilities: genre probabilities, shape (n, genres), each row sums to 1.
        songs_outside: number of songs outside the training ranges, shape (groups,), by `FeatureGroup`.
    """

    probabilities: npt.NDArray[np.float64]
    songs_outside: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ensemble:
    """A trained model; immutable and thread-safe.

    `medians` are those of the features in the labelled training songs, shape (features,).
    """

    manifest: Manifest
    extractor: FeatureExtractor
    classifier: Classifier
    training_ranges: TrainingRanges
    medians: npt.NDArray[np.float32]

    @property
    def genres(self) -> tuple[str, ...]:
        """The model's genres, sorted; columns of probabilities are in this order."""
        return self.manifest.genres

    def classify(self, songs: Songs, *, threads: int = 1) -> Prediction:
        """Return the probabilities of genres, and how many songs are outside the training ranges.

        A song's probabilities are bit-identical regardless of the other songs and the number of threads.
        """
        n = len(songs)
        parts = min(threads, n // _ROWS_WORTH_A_THREAD)
        if parts <= 1:
            return self._classify(songs)
        bounds = np.linspace(0, n, parts + 1).astype(int).tolist()
        slices = [songs.take(slice(start, end)) for start, end in pairwise(bounds)]
        with ThreadPoolExecutor(parts, thread_name_prefix="predict") as pool:
            predictions = list(pool.map(self._classify, slices))
        return Prediction(
            np.concatenate([prediction.probabilities for prediction in predictions]),
            np.sum([prediction.songs_outside for prediction in predictions], axis=0),
        )

    def _classify(self, songs: Songs) -> Prediction:
        if not len(songs):
            return Prediction(np.zeros((0, len(self.genres))), np.zeros(len(FeatureGroup), np.int64))
        features = self.extractor.transform(songs)
        return Prediction(
            self.classifier.probabilities(features), self.training_ranges.songs_outside(features)
        )
