"""The linear half of the model: logistic regression on normal scores of features.

With a few hundred songs of a few dozen artists, trees find artists and a strongly shrunk linear model
finds genres. Normal scores (van der Waerden, 1952) bring features of any spread and skew to one scale
and take the power from outliers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.special import ndtri
from sklearn.linear_model import LogisticRegression

_KNOTS = 129
"""Values of a feature whose normal scores are kept; those between are interpolated."""


@dataclass(frozen=True, slots=True)
class NormalScores:
    """Maps each feature to the normal quantile of its rank among the songs trained on.

    Attributes:
        values: ascending values of all features, one feature after the other.
        scores: the normal scores of those values.
        starts: shape (features + 1,), where each feature's values start.
    """

    values: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]
    starts: npt.NDArray[np.int64]

    @classmethod
    def fit(cls, features: npt.NDArray[np.float64]) -> NormalScores:
        """Learn the ranks of features, shape (n, features) with n of 1 or more."""
        values, scores, starts = [], [], [0]
        songs = len(features)
        for column in np.sort(features, axis=0).T:
            picked = np.unique(column[np.linspace(0, songs - 1, _KNOTS).round().astype(int)])
            ranks = np.searchsorted(column, picked, "left") + np.searchsorted(column, picked, "right")
            values.append(picked)
            scores.append(ndtri((ranks + 1) / (2 * (songs + 1))))
            starts.append(starts[-1] + len(picked))
        return cls(np.concatenate(values), np.concatenate(scores), np.array(starts, np.int64))

    def transform(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the normal scores of features, shape (n, features); beyond all values, the outermost."""
        scores = np.empty_like(features)
        bounds = self.starts.tolist()
        for position, (start, end) in enumerate(zip(bounds[:-1], bounds[1:], strict=True)):
            scores[:, position] = np.interp(
                features[:, position], self.values[start:end], self.scores[start:end]
            )
        return scores


@dataclass(frozen=True, slots=True)
class LinearModel:
    """Multinomial logistic regression on normal scores.

    Attributes:
        normal_scores: of the features.
        weights: shape (features, genres).
        intercepts: shape (genres,).
    """

    normal_scores: NormalScores
    weights: npt.NDArray[np.float64]
    intercepts: npt.NDArray[np.float64]

    def logits(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return log-odds of genres up to a constant a song, shape (n, genres).

        A song's values do not depend on the others: the product goes through a sparse matrix, whose
        rows are added up one by one, and not through BLAS.
        """
        n, width = features.shape
        scores = self.normal_scores.transform(features)
        columns = np.tile(np.arange(width, dtype=np.int32), n)
        starts = np.arange(0, n * width + 1, width, dtype=np.int32)
        product: npt.NDArray[np.float64] = (
            sp.csr_array((scores.ravel(), columns, starts), shape=(n, width)) @ self.weights
        )
        return product + self.intercepts


def train_linear_model(
    features: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    genres: int,
    *,
    scales: npt.NDArray[np.float64],
    seed: int,
) -> LinearModel:
    """Train a model with genres weighted alike.

    Args:
        features: shape (n, features).
        labels: shape (n,), from 0 to `genres` - 1; a genre may be absent and then gets the logits of
            one with 1 % of the chance of the least probable other.
        genres: the number of genres.
        scales: shape (features,), factors on normal scores: the larger, the freer a feature's weight.
        seed: of the solver.
    """
    normal_scores = NormalScores.fit(features)
    model = LogisticRegression(C=1.0, max_iter=5_000, class_weight="balanced", random_state=seed)
    model.fit(normal_scores.transform(features) * scales, labels)
    coefficients, offsets = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # noqa: PLR2004 - two genres have one decision value: the second's
        coefficients = np.vstack([-coefficients, coefficients]) / 2
        offsets = np.hstack([-offsets, offsets]) / 2
    weights = np.zeros((features.shape[1], genres))
    intercepts = np.full(genres, offsets.min() + np.log(0.01))
    weights[:, model.classes_] = scales[:, None] * coefficients.T
    intercepts[model.classes_] = offsets
    return LinearModel(normal_scores, weights, intercepts)
