"""The ensemble: songs in, probabilities of genres out. Ready for many threads at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ml.classifier import Classifier
from ml.drift import FeatureGroup, TrainingRanges
from ml.features import FeatureExtractor
from ml.manifest import Manifest
from ml.songs import Songs

_ROWS_WORTH_A_THREAD = 200


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of n songs.

    Attributes:
        probabilities: of genres, shape (n, genres), each row sums to 1.
        songs_outside: how many songs are outside the range of training, by group of features, in the order
            of `FeatureGroup`; shape (groups,).
    """

    probabilities: npt.NDArray[np.float64]
    songs_outside: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ensemble:
    """A trained model: a feature extractor and a classifier of a linear model and four boosters.

    It is never changed, so that any number of threads may predict with it at once.

    Attributes:
        manifest: what it says of itself.
        extractor: makes features of songs.
        classifier: makes probabilities of features.
    """

    manifest: Manifest
    extractor: FeatureExtractor
    classifier: Classifier

    @property
    def genres(self) -> tuple[str, ...]:
        """The genres it tells apart, sorted; columns of probabilities are in this order."""
        return self.manifest.genres

    @cached_property
    def training_ranges(self) -> TrainingRanges:
        """The range of each feature among the songs it was trained on."""
        return TrainingRanges.of(self.classifier, len(self.extractor.names))

    def predict(self, songs: Songs, *, threads: int = 1) -> npt.NDArray[np.float64]:
        """Return the probabilities of genres.

        A song's probabilities are the same, bit for bit, alone or among others, and with any number of
        threads.

        Args:
            songs: n songs.
            threads: how many parts to work on at once, at most.

        Returns:
            Shape (n, genres), each row sums to 1.
        """
        return self.classify(songs, threads=threads).probabilities

    def classify(self, songs: Songs, *, threads: int = 1) -> Prediction:
        """Return the probabilities of genres, and how many songs are unlike those trained on.

        The arguments are those of `predict`.
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
