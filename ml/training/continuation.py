"""Continue training a model's boosters with verified songs.

Existing trees are kept, and a few more correct their log-odds. Their number is chosen in folds that keep each
artist-like group of verified songs on one side.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import log_softmax, logsumexp

from ml.model.artifact import FOLDS
from ml.model.ensemble import Classifier, lgb, softmax
from ml.songs.contract import Float32Array, Float64Array, IntArray
from ml.training.folds import grouped_folds
from ml.training.parameters import Parameters
from ml.training.recipe import Examples, fit_temperature, train_booster

ROUNDS = (5, 10, 20, 40)
"""Numbers of additional rounds to try. More would overfit the verified songs' artists."""

_ROUNDS_PER_SONG = 2
"""More than this for fewer than 20 songs would change predictions of genres that nobody verified."""

_LEARNING = {
    "learning_rate": 0.1,
    "num_leaves": 4,
    "min_data_in_leaf": 1,  # with 5, no tree had a split for fewer than 17 songs; lambda_l2 regularizes
    "feature_fraction": 0.4,
    "bagging_fraction": 0.8,
    "lambda_l2": 5.0,
}
_RARE = 5
"""Genres have equal weight, but those with fewer songs are weighted as if they had this many."""

_PRIOR_SONGS = 50
"""Weight of the model's previous temperature, in songs."""


@dataclass(frozen=True, slots=True)
class Start:
    """A model to continue from; `names` are those of its features."""

    classifier: Classifier
    genres: tuple[str, ...]
    parameters: Parameters
    names: tuple[str, ...]

    def typical_score(self, features: Float32Array) -> float:
        """Return the log-odds that make a new genre as likely as the average known genre."""
        total = logsumexp(self.classifier.logits(features), axis=1).mean()
        return round(float(total - np.log(len(self.genres))), 6)

    def with_genres(self, genres: tuple[str, ...], *, score: float = 0.0) -> Start:
        """Return the model with these genres; new ones have log-odds of `score`."""
        boosters = tuple(
            with_genres(booster, self.genres, genres, rounds=self.parameters.rounds, score=score)
            for booster in self.classifier.boosters
        )
        return replace(self, classifier=replace(self.classifier, boosters=boosters), genres=genres)


@dataclass(frozen=True, slots=True)
class Continued:
    """The classifier trained on all songs with a number of further rounds, and predictions out of fold.

    `probabilities`, shape (n, genres), are of boosters, rounds and temperature without any song of the group.
    """

    classifier: Classifier
    rounds: int
    probabilities: Float64Array


def continue_from(start: Start, features: Float32Array, labels: IntArray, groups: IntArray) -> Continued:
    """Continue training with verified songs, and predict each of them out of fold.

    `start` has all genres of the songs. `features` have shape (n, features); `labels` and `groups`, shape
    (n,), are the indices of the songs' genres and artist-like groups, of which there must be 4.
    """
    tried = [rounds for rounds in ROUNDS if rounds <= _ROUNDS_PER_SONG * len(labels)]
    folds = grouped_folds(strata(labels), groups, seed=start.parameters.seed)
    logits = np.empty((len(tried), len(labels), len(start.genres)))
    for trained, scored in folds:
        boosters = _further_rounds(start, features[trained], labels[trained], max(tried))
        for position, rounds in enumerate(tried):
            logits[position, scored] = Classifier(boosters).logits(
                features[scored], rounds=start.parameters.rounds + rounds
            )
    probabilities = np.empty_like(logits[0])
    for trained, scored in folds:
        position, temperature = _choose(logits[:, trained], labels[trained], start.classifier.temperature)
        probabilities[scored] = softmax(logits[position, scored] / temperature)
    position, temperature = _choose(logits, labels, start.classifier.temperature)
    boosters = _further_rounds(start, features, labels, tried[position])
    return Continued(Classifier(boosters, temperature), tried[position], probabilities)


def _further_rounds(
    start: Start, features: Float32Array, labels: IntArray, rounds: int
) -> tuple[lgb.Booster, ...]:
    """Train each booster for more rounds with these songs."""
    no_further_songs = np.empty((0, features.shape[1]), np.float32), np.empty(0, np.int64)
    examples = Examples(start.names, start.genres, features, labels, *no_further_songs)
    parameters = start.parameters.model_copy(update=_LEARNING | {"rounds": rounds})
    weights = 1 / np.maximum(np.bincount(labels), _RARE)[labels]
    weights /= weights.mean()
    return tuple(
        train_booster(examples, parameters, seed=parameters.seed + number, weights=weights, start=booster)
        for number, booster in enumerate(start.classifier.boosters)
    )


def _choose(logits: Float64Array, labels: IntArray, previous: float) -> tuple[int, float]:
    """Return the index of the number of rounds to add, and the temperature for it.

    This is the smallest number whose log-loss is within half a standard error of the minimum. With few
    verified songs among 450 real ones, it generalized better to new artists than the minimum itself.
    """
    share = len(labels) / (len(labels) + _PRIOR_SONGS)
    fitted = np.array([fit_temperature(logits_of_rounds, labels) for logits_of_rounds in logits])
    temperatures = np.round(fitted**share * previous ** (1 - share), 4)
    scaled = logits / temperatures[:, None, None]
    losses = -log_softmax(scaled, axis=2)[:, np.arange(len(labels)), labels]
    means = losses.mean(axis=1)
    best = int(means.argmin())
    errors = (losses - losses[best]).std(axis=1) / np.sqrt(len(labels))
    chosen = int(np.flatnonzero(means - means[best] <= errors / 2)[0])
    return chosen, float(temperatures[chosen])


def strata(labels: IntArray) -> IntArray:
    """Return labels to stratify by: genres too rare for every fold are merged into the most common one."""
    counts = np.bincount(labels)
    return np.where(counts[labels] >= FOLDS, labels, counts.argmax())


_TREE = "\nTree="
_CONSTANT = "\nnum_leaves=1\nnum_cat=0\nleaf_value={value!r}\nshrinkage=1\n\n"


def with_genres(
    booster: lgb.Booster, genres: Sequence[str], new_genres: Sequence[str], *, rounds: int, score: float
) -> lgb.Booster:
    """Return the first rounds of a booster of `genres`, changed to the genres `new_genres`.

    LightGBM only continues from a booster with the same number of classes. A round has a tree per class, so a
    genre is added as trees with one leaf, and removed with its trees. New genres have log-odds of `score`.
    """
    text = booster.model_to_string(num_iteration=rounds)
    trees_text, end, rest = text.partition("\nend of trees")
    header, *trees = trees_text.split(_TREE)
    bodies = [tree[tree.index("\n") :] for tree in trees]
    new_bodies: list[str] = []
    for first in range(0, len(bodies), len(genres)):
        constant = _CONSTANT.format(value=0.0 if first else score)
        by_genre = dict(zip(genres, bodies[first : first + len(genres)], strict=True))
        new_bodies += [by_genre.get(genre, constant) for genre in new_genres]
    classes = r"^(num_class=|num_tree_per_iteration=|objective=multiclass num_class:)\d+"
    header = re.sub(classes, rf"\g<1>{len(new_genres)}", header, flags=re.MULTILINE)
    # Without their sizes, LightGBM searches for the trees.
    header = re.sub("^tree_sizes=.*", "", header, flags=re.MULTILINE)
    numbered = (f"{number}{body}" for number, body in enumerate(new_bodies))
    return lgb.Booster(model_str=_TREE.join([header, *numbered]) + end + rest)
