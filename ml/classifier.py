"""The classifier: from features to probabilities of genres, by two linear models and trees.

Sound and words are judged apart by a linear model each and their log-odds added, as of two witnesses who
do not know each other: a model of both learns which sound goes with which words, a habit of the artists it
was trained on. Trees, which see everything, have a say beside them. The weighted sum, divided by a
temperature, goes through softmax.

The fewer words of a song are known, the less its words and the trees count: of none, sound alone decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from ml.contributions import Contributions
from ml.cross_validation import Fold
from ml.examples import Examples
from ml.features import LYRIC_STATISTICS, TAG_COUNT
from ml.linear import LinearModel, train_linear_model
from ml.parameters import Parameters
from ml.songs import NUMBER_NAMES
from ml.temperature import AS_IS, Temperature
from ml.trees import train_booster, tree_contributions, tree_logits


@dataclass(frozen=True, slots=True)
class Classifier:
    """A trained classifier.

    Attributes:
        sound: the linear model of numeric columns.
        words: the linear model of lyric statistics and scores.
        boosters: the tree models, one for each fold, of all features.
        tree_weight: share of the trees in the log-odds of a song with many known words.
        half_evidence: number of known words at which words count half.
        temperature: divisor of log-odds.
    """

    sound: LinearModel
    words: LinearModel
    boosters: tuple[lgb.Booster, ...]
    tree_weight: float
    half_evidence: float
    temperature: Temperature = AS_IS

    def evidence(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return how much the words of each song count, shape (n,), from 0 (none is known) to 1."""
        counts = features[:, TAG_COUNT]
        share: npt.NDArray[np.float64] = counts / (counts + self.half_evidence)
        return share

    def logits(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return log-odds of genres before the temperature, up to a constant a song, shape (n, genres)."""
        evidence = self.evidence(features)[:, None]
        trees = self.tree_weight * evidence
        linear = self.sound.logits(features) + evidence * self.words.logits(features)
        return (1 - trees) * linear + trees * tree_logits(self.boosters, features)

    def probabilities(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return probabilities of genres, shape (n, genres), rows sum to 1."""
        return softmax(self.logits(features) / self.temperature.at(self.evidence(features))[:, None])

    def contributions(
        self, features: npt.NDArray[np.float64], genres: npt.NDArray[np.int64]
    ) -> Contributions:
        """Take the log-odds, after the temperature, of one genre of each song apart.

        How much a song's words count, and so its temperature, is taken as given and not put down to the
        number of words.

        Args:
            features: shape (n, features).
            genres: shape (n,), the column of each song's genre.
        """
        evidence = self.evidence(features)
        trees = self.tree_weight * evidence
        words = self.words.contributions(features, genres).times(evidence)
        linear = (self.sound.contributions(features, genres) + words).times(1 - trees)
        both = linear + tree_contributions(self.boosters, features, genres).times(trees)
        return both.times(1 / self.temperature.at(evidence))


def train_classifier(examples: Examples, folds: Sequence[Fold], parameters: Parameters) -> Classifier:
    """Train the linear models on all songs and one booster on each fold's training part.

    Args:
        examples: n songs.
        folds: of these songs.
        parameters: of the recipe.
    """
    scales = np.array([_scale(name, parameters) for name in examples.names])
    is_sound = np.isin(examples.names, NUMBER_NAMES)

    def linear(columns: npt.NDArray[np.int64], shrinkage: float) -> LinearModel:
        return train_linear_model(
            examples,
            columns,
            scales=scales[columns],
            shrinkage=shrinkage,
            discriminant_weight=parameters.discriminant_weight,
            seed=parameters.seed,
        )

    return Classifier(
        sound=linear(np.flatnonzero(is_sound), parameters.sound_shrinkage),
        words=linear(np.flatnonzero(~is_sound), parameters.words_shrinkage),
        boosters=tuple(
            train_booster(examples.take(rows), parameters, seed=parameters.seed + number)
            for number, (rows, _) in enumerate(folds)
        ),
        tree_weight=parameters.tree_weight,
        half_evidence=parameters.half_evidence,
    )


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
