"""The four LightGBM boosters: mean log-odds and feature contributions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.optional_packages import not_installed

with not_installed("dask", "matplotlib", "pandas", "sklearn"):
    # Filtered for all modules: boosters get plain arrays.
    import lightgbm as lgb

__all__ = ["Classifier", "lgb", "softmax"]


@dataclass(frozen=True, slots=True)
class Classifier:
    """Predicts genre probabilities from features, with boosters of the same features and genres.

    `temperature` divides the mean log-odds; above 1 it lowers confidence.
    """

    boosters: tuple[lgb.Booster, ...]
    temperature: float = 1.0

    def logits(
        self, features: npt.NDArray[np.float32], *, rounds: int | None = None
    ) -> npt.NDArray[np.float64]:
        """Return the boosters' mean log-odds, up to a constant per song, shape (n, genres).

        Boosters run in the calling thread and release the GIL. `rounds` limits each to its first rounds.
        """
        total = sum(
            np.asarray(booster.predict(features, raw_score=True, num_threads=1, num_iteration=rounds))
            for booster in self.boosters
        )
        return np.asarray(total / len(self.boosters), np.float64)

    def probabilities(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return probabilities of genres, shape (n, genres); each row sums to 1."""
        return softmax(self.logits(features) / self.temperature)

    def contributions(
        self, features: npt.NDArray[np.float32], genres: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """Split each song's log-odds of one genre, relative to the mean of all genres, by feature.

        LightGBM's contributions are Shapley values of the trees (Lundberg et al., Nature Machine
        Intelligence, 2020); their mean over boosters gives the contributions to the mean log-odds.

        `features` have shape (n, features); `genres`, shape (n,), are the columns of the songs' genres. The
        result has shape (n, features + 1); its last column is the base value.
        """
        n, width = features.shape[0], features.shape[1] + 1
        total = np.zeros((n, width))
        for booster in self.boosters:
            found = np.asarray(booster.predict(features, pred_contrib=True, num_threads=1))
            by_genre = found.reshape(n, -1, width)
            total += by_genre[np.arange(n), genres] - by_genre.mean(axis=1)
        return np.asarray(total / (len(self.boosters) * self.temperature), np.float64)


def softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Convert log-odds to probabilities, shape (n, genres).

    Columns are summed one by one: numpy's order of summing a row may depend on the number of rows, which
    would change a song's last bits.
    """
    shifted = np.exp(np.ascontiguousarray(logits - logits.max(axis=1, keepdims=True)))
    total = np.add.accumulate(shifted, axis=1)[:, -1]
    probabilities: npt.NDArray[np.float64] = shifted / total[:, None]
    return probabilities
