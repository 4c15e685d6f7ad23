"""The recipe: how a classifier is trained, and how it is scored on songs it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ml.calibration import fit_temperature
from ml.classifier import Classifier, softmax, train_classifier
from ml.cross_validation import FOLDS, Fold, grouped_folds, random_folds
from ml.evaluation import Scores, score
from ml.examples import Examples
from ml.parameters import Parameters

BeforeFold = Callable[[int], None]
"""Called with the number of each fold, from 0, before it is trained."""


def fit(examples: Examples, parameters: Parameters) -> Classifier:
    """Train a classifier on all of these songs; its boosters leave out a random fourth each.

    Random and not grouped: a booster that misses whole artists has less to learn from, and none is scored
    on its own fourth.
    """
    return train_classifier(examples, random_folds(examples.labels, seed=parameters.seed), parameters)


def out_of_fold_logits(
    examples: Examples,
    folds: Sequence[Fold],
    parameters: Parameters,
    before_fold: BeforeFold = lambda _: None,
) -> npt.NDArray[np.float64]:
    """Return log-odds of each song by the whole recipe, trained on the folds without it.

    Args:
        examples: n songs.
        folds: of them.
        parameters: of the recipe.
        before_fold: told of each fold.

    Returns:
        Shape (n, genres), before the temperature.
    """
    logits = np.zeros((len(examples), examples.genre_count))
    for number, (trained, scored) in enumerate(folds):
        before_fold(number)
        logits[scored] = fit(examples.take(trained), parameters).logits(examples.features[scored])
    return logits


def score_grouped(  # noqa: PLR0913 - each is named at the call
    examples: Examples,
    groups: npt.NDArray[np.int64],
    genres: Sequence[str],
    parameters: Parameters,
    *,
    group_name: str,
    before_fold: BeforeFold = lambda _: None,
) -> tuple[Scores, float]:
    """Score the recipe on artists it was not trained on, and fit the temperature to that.

    Each fold is scored at the temperature fitted on the others, so that no song judges itself.

    Args:
        examples: n songs.
        groups: shape (n,), the number of each song's group.
        genres: names of genres.
        parameters: of the recipe.
        group_name: what groups are, for the name of the split.
        before_fold: told of each fold.

    Returns:
        The scores, and the temperature fitted on all folds.
    """
    folds = grouped_folds(examples.labels, groups, seed=parameters.seed)
    logits = out_of_fold_logits(examples, folds, parameters, before_fold)
    labels = examples.labels
    probabilities = np.zeros_like(logits)
    for _, scored in folds:
        others = np.setdiff1d(np.arange(len(labels)), scored)
        probabilities[scored] = softmax(logits[scored] / fit_temperature(logits[others], labels[others]))
    split = f"{FOLDS} folds of {len(labels)} songs, no {group_name} in two of them"
    return score(probabilities, labels, genres, split=split), fit_temperature(logits, labels)


def score_random(
    examples: Examples,
    genres: Sequence[str],
    parameters: Parameters,
    *,
    temperature: float,
    before_fold: BeforeFold = lambda _: None,
) -> Scores:
    """Score the recipe in random folds, at a temperature that was fitted elsewhere."""
    folds = random_folds(examples.labels, seed=parameters.seed)
    logits = out_of_fold_logits(examples, folds, parameters, before_fold)
    split = f"{FOLDS} random folds of {len(logits)} songs, artists on both sides"
    return score(softmax(logits / temperature), examples.labels, genres, split=split)
