"""The linear part of the model: logistic regression and discriminant analysis on normal scores.

With a few hundred songs of a few dozen artists, trees find artists and a strongly shrunk linear model
finds genres. Normal scores (van der Waerden, 1952) bring features of any spread and skew to one scale
and take the power from outliers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.special import ndtri
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression

from ml.contributions import Contributions
from ml.examples import Examples

_KNOTS = 129
"""Values of a feature whose normal scores are kept; those between are interpolated."""

_MIN_SONGS = 2
_RULED_OUT = 5.0


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
        for position, (start, end) in enumerate(pairwise(bounds)):
            scores[:, position] = np.interp(
                features[:, position], self.values[start:end], self.scores[start:end]
            )
        return scores


@dataclass(frozen=True, slots=True)
class LinearModel:
    """Log-odds linear in normal scores of some features.

    Attributes:
        columns: shape (k,), positions of the features it looks at among all features.
        normal_scores: of those k features.
        weights: shape (k, genres).
        intercepts: shape (genres,).
    """

    columns: npt.NDArray[np.int64]
    normal_scores: NormalScores
    weights: npt.NDArray[np.float64]
    intercepts: npt.NDArray[np.float64]

    def logits(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return log-odds of genres up to a constant a song, shape (n, genres).

        A song's values do not depend on the others: the product goes through a sparse matrix, whose
        rows are added up one by one, and not through BLAS.

        Args:
            features: shape (n, all features).
        """
        n, width = len(features), len(self.columns)
        scores = self.normal_scores.transform(features[:, self.columns])
        columns = np.tile(np.arange(width, dtype=np.int32), n)
        starts = np.arange(0, n * width + 1, width, dtype=np.int32)
        rows = sp.csr_array((scores.ravel(), columns, starts), shape=(n, width))
        return np.asarray(rows @ self.weights) + self.intercepts

    def contributions(
        self, features: npt.NDArray[np.float64], genres: npt.NDArray[np.int64]
    ) -> Contributions:
        """Take the log-odds of one genre of each song apart.

        A feature adds its weight times its normal score. Normal scores have a mean near 0 among the songs
        trained on, so that is its Shapley value where features are independent (Lundberg and Lee, 2017).

        Args:
            features: shape (n, all features).
            genres: shape (n,), the column of each song's genre.
        """
        weights = self.weights - self.weights.mean(axis=1, keepdims=True)
        contributions = np.zeros_like(features)
        scores = self.normal_scores.transform(features[:, self.columns])
        contributions[:, self.columns] = scores * weights.T[genres]
        return Contributions(contributions, (self.intercepts - self.intercepts.mean())[genres])


def train_linear_model(  # noqa: PLR0913 - each is named at the call
    examples: Examples,
    columns: npt.NDArray[np.int64],
    *,
    scales: npt.NDArray[np.float64],
    shrinkage: float,
    discriminant_weight: float,
    seed: int,
) -> LinearModel:
    """Train a model with genres weighted alike.

    Two linear classifiers add up to one. Logistic regression gives sound probabilities; discriminant
    analysis with a shrunk covariance gives less weight to directions in which songs of one genre differ
    anyway, as artists do, and so finds more genres of artists never seen.

    Args:
        examples: n songs.
        columns: shape (k,), positions of the features to look at.
        scales: shape (k,), factors on normal scores: the larger, the freer a feature's weight.
        shrinkage: of the discriminant's covariance towards a multiple of the identity, 0 to 1.
        discriminant_weight: factor on the discriminant's log-odds, which are far too sure of themselves.
        seed: of the solver.
    """
    features = examples.features[:, columns]
    normal_scores = NormalScores.fit(features)
    counts = np.bincount(examples.labels, minlength=examples.genre_count)
    # One song has no spread of its own. Genres of so few songs are all but ruled out.
    known = np.flatnonzero(counts >= _MIN_SONGS)
    weights = np.zeros((len(columns), examples.genre_count))
    offsets = np.full(examples.genre_count, -_RULED_OUT)
    offsets[known] = 0.0
    if len(known) > 1:
        rows = np.isin(examples.labels, known)
        table = normal_scores.transform(features[rows]) * scales
        logistic = LogisticRegression(C=1.0, max_iter=5_000, class_weight="balanced", random_state=seed)
        discriminant = LinearDiscriminantAnalysis(
            solver="lsqr", shrinkage=shrinkage, priors=np.full(len(known), 1 / len(known))
        )
        for model, factor in ((logistic, 1.0), (discriminant, discriminant_weight)):
            model_weights, model_offsets = _log_odds(model.fit(table, examples.labels[rows]))
            weights[:, known] += factor * scales[:, None] * model_weights
            offsets[known] += factor * model_offsets
        offsets[counts < _MIN_SONGS] += offsets[known].min()
    return LinearModel(columns, normal_scores, weights, offsets)


def _log_odds(
    model: LogisticRegression | LinearDiscriminantAnalysis,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return a model's weights, shape (features, genres), and offsets, each centred over genres.

    With two genres these models have the second's log-odds alone.
    """
    weights, offsets = model.coef_.T, model.intercept_
    if weights.shape[1] == 1:
        weights, offsets = np.hstack([-weights, weights]) / 2, np.hstack([-offsets, offsets]) / 2
    return weights - weights.mean(axis=1, keepdims=True), offsets - offsets.mean()
