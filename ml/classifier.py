"""The classifier: from features to probabilities of genres, half linear model, half trees.

Both halves give log-odds; their weighted mean, divided by a temperature, goes through softmax. (A mean
of log-odds is a product of opinions: a genre needs the consent of both.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from ml.cross_validation import Fold
from ml.examples import Examples
from ml.features import LYRIC_STATISTICS
from ml.linear import LinearModel, train_linear_model
from ml.parameters import Parameters
from ml.songs import NUMBER_NAMES
from ml.trees import train_booster, tree_logits


@dataclass(frozen=True, slots=True)
class Classifier:
    """A trained classifier.

    Attributes:
        linear: the linear model.
        boosters: the tree models, one for each fold.
        tree_weight: share of the trees in the log-odds.
        temperature: divisor of log-odds; over 1 it lowers confidence.
    """

    linear: LinearModel
    boosters: tuple[lgb.Booster, ...]
    tree_weight: float
    temperature: float = 1.0

    def logits(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return log-odds of genres before the temperature, up to a constant a song, shape (n, genres)."""
        trees, linear = tree_logits(self.boosters, features), self.linear.logits(features)
        return self.tree_weight * trees + (1 - self.tree_weight) * linear

    def probabilities(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return probabilities of genres, shape (n, genres), rows sum to 1."""
        return softmax(self.logits(features) / self.temperature)


def train_classifier(examples: Examples, folds: Sequence[Fold], parameters: Parameters) -> Classifier:
    """Train the linear model on all songs and one booster on each fold's training part.

    Args:
        examples: n songs.
        folds: of these songs.
        parameters: of the recipe.
    """
    linear = train_linear_model(
        examples,
        scales=np.array([_scale(name, parameters) for name in examples.names]),
        discriminant_weight=parameters.discriminant_weight,
        seed=parameters.seed,
    )
    boosters = tuple(
        train_booster(examples.take(rows), parameters, seed=parameters.seed + number)
        for number, (rows, _) in enumerate(folds)
    )
    return Classifier(linear, boosters, parameters.tree_weight)


def _scale(feature: str, parameters: Parameters) -> float:
    if feature in NUMBER_NAMES:
        return parameters.number_scale
    return parameters.statistic_scale if feature in LYRIC_STATISTICS else parameters.lexical_scale


def softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return probabilities of log-odds, shape (n, genres), each row alone.

    Sums run over columns one by one: numpy's own sum of a row may change its order with the number of
    rows, and so a song's last bits.
    """
    shifted = np.exp(np.ascontiguousarray(logits - logits.max(axis=1, keepdims=True)))
    total = shifted[:, 0].copy()
    for column in range(1, shifted.shape[1]):
        total += shifted[:, column]
    probabilities: npt.NDArray[np.float64] = shifted / total[:, None]
    return probabilities
