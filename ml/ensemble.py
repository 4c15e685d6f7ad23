"""The ensemble: songs in, probabilities of genres out. Ready for many threads at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ml.classifier import Classifier
from ml.features import FeatureExtractor
from ml.manifest import Manifest
from ml.songs import Songs

_ROWS_WORTH_A_THREAD = 200


@dataclass(frozen=True, slots=True)
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
        n = len(songs)
        parts = min(threads, n // _ROWS_WORTH_A_THREAD)
        if parts <= 1:
            return self._predict(songs)
        bounds = np.linspace(0, n, parts + 1).astype(int).tolist()
        slices = [songs.take(slice(start, end)) for start, end in pairwise(bounds)]
        with ThreadPoolExecutor(parts, thread_name_prefix="predict") as pool:
            return np.concatenate(list(pool.map(self._predict, slices)))

    def _predict(self, songs: Songs) -> npt.NDArray[np.float64]:
        if not len(songs):
            return np.zeros((0, len(self.genres)))
        return self.classifier.probabilities(self.extractor.transform(songs))
