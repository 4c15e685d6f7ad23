"""The ensemble of four LightGBM boosters: genre probabilities and contributions. Thread-safe."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ml.model.drift import FeatureGroup, TrainingRanges
from ml.model.features import FeatureExtractor
from ml.model.manifest import Manifest
from ml.optional_packages import not_installed
from ml.songs.contract import Float32Array, Float64Array, IntArray, Songs

with not_installed("dask", "matplotlib", "pandas", "sklearn"):
    # Filtered for all modules: boosters get plain arrays.
    import lightgbm as lgb

__all__ = ["Classifier", "Ensemble", "Prediction", "lgb", "softmax"]

_MIN_ROWS_PER_THREAD = 200


@dataclass(frozen=True, slots=True)
class Classifier:
    """Predicts genre probabilities from features, with boosters of the same features and genres.

    `temperature` divides the mean log-odds; above 1 it lowers confidence.
    """

    boosters: tuple[lgb.Booster, ...]
    temperature: float = 1.0

    def logits(self, features: Float32Array, *, rounds: int | None = None) -> Float64Array:
        """Return the boosters' mean log-odds, up to a constant per song, shape (n, genres).

        Boosters run in the calling thread and release the GIL. `rounds` limits each to its first rounds.
        """
        total = sum(
            np.asarray(booster.predict(features, raw_score=True, num_threads=1, num_iteration=rounds))
            for booster in self.boosters
        )
        return np.asarray(total / len(self.boosters), np.float64)

    def probabilities(self, features: Float32Array) -> Float64Array:
        """Return probabilities of genres, shape (n, genres); each row sums to 1."""
        return softmax(self.logits(features) / self.temperature)

    def contributions(self, features: Float32Array, genres: IntArray) -> Float64Array:
        """Split each song's log-odds of one genre, relative to the mean of all genres, by feature.

        LightGBM's contributions are Shapley values of the trees (Lundberg et al., Nature Machine
        Intelligence, 2020); their mean over boosters gives the contributions to the mean log-odds.

        `features` have shape (n, features); `genres`, shape (n,), are the columns of the songs' genres. The
        result has shape (n, features + 1); its last column is the base value.
        """
        n, width = features.shape[0], features.shape[1] + 1
        total = np.zeros((n, width))
        for booster in self.boosters:
            contributions = np.asarray(booster.predict(features, pred_contrib=True, num_threads=1))
            by_genre = contributions.reshape(n, -1, width)
            total += by_genre[np.arange(n), genres] - by_genre.mean(axis=1)
        return np.asarray(total / (len(self.boosters) * self.temperature), np.float64)


def softmax(logits: Float64Array) -> Float64Array:
    """Convert log-odds to probabilities, shape (n, genres).

    Columns are summed one by one: numpy's order of summing a row may depend on the number of rows, which
    would change a song's last bits.
    """
    shifted = np.exp(np.ascontiguousarray(logits - logits.max(axis=1, keepdims=True)))
    total = np.add.accumulate(shifted, axis=1)[:, -1]
    probabilities: Float64Array = shifted / total[:, None]
    return probabilities


@dataclass(frozen=True, slots=True)
class Prediction:
    """The predictions for n songs.

    Attributes:
        probabilities: genre probabilities, shape (n, genres), each row sums to 1.
        songs_outside: number of songs outside the training ranges, shape (groups,), by `FeatureGroup`.
    """

    probabilities: Float64Array
    songs_outside: IntArray


@dataclass(frozen=True, slots=True)
class Ensemble:
    """A trained model; immutable and thread-safe.

    `medians` are those of the features in the labelled training songs, shape (features,).
    """

    manifest: Manifest
    extractor: FeatureExtractor
    classifier: Classifier
    training_ranges: TrainingRanges
    medians: Float32Array

    @property
    def genres(self) -> tuple[str, ...]:
        """The model's genres, sorted; columns of probabilities are in this order."""
        return self.manifest.genres

    def classify(self, songs: Songs, *, threads: int = 1) -> Prediction:
        """Return the probabilities of genres, and how many songs are outside the training ranges.

        A song's probabilities are bit-identical regardless of the other songs and the number of threads.
        """
        n = len(songs)
        parts = min(threads, n // _MIN_ROWS_PER_THREAD)
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
