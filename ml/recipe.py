"""The recipe: how a classifier is trained, and how it predicts songs it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ml.calibration import fit_temperature
from ml.classifier import Classifier, softmax, train_classifier
from ml.cross_validation import FOLDS, Fold, grouped_folds, random_folds
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


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Predictions for songs, each by a classifier that was not trained on it.

    Attributes:
        folds: of the n songs.
        classifiers: one for each fold, at the temperature of that fold.
        probabilities: shape (n, genres), of each song by its fold's classifier.
        temperature: of the model to ship.
        split: what the scored songs had to do with those trained on, in words.
    """

    folds: tuple[Fold, ...]
    classifiers: tuple[Classifier, ...]
    probabilities: npt.NDArray[np.float64]
    temperature: float
    split: str


def predict_grouped(
    examples: Examples,
    groups: npt.NDArray[np.int64],
    parameters: Parameters,
    *,
    group_name: str,
    before_fold: BeforeFold = lambda _: None,
) -> OutOfFold:
    """Predict each song by a classifier that knows no song of its artist, and fit the temperature to that.

    Each fold is predicted at the temperature fitted on the others, so that no song judges itself; the
    temperature of the model to ship is fitted on all folds.

    Args:
        examples: n songs.
        groups: shape (n,), the number of each song's group.
        parameters: of the recipe.
        group_name: what groups are, for the name of the split.
        before_fold: told of each fold.
    """
    folds = grouped_folds(examples.labels, groups, seed=parameters.seed)
    classifiers = _train_on_folds(examples, folds, parameters, before_fold)
    logits, labels = _out_of_fold_logits(examples, folds, classifiers), examples.labels
    calibrated = []
    for classifier, (_, scored) in zip(classifiers, folds, strict=True):
        others = np.setdiff1d(np.arange(len(labels)), scored)
        calibrated.append(replace(classifier, temperature=fit_temperature(logits[others], labels[others])))
    split = f"{FOLDS} folds of {len(labels)} songs, no {group_name} in two of them"
    return _out_of_fold(logits, folds, calibrated, fit_temperature(logits, labels), split)


def predict_random(
    examples: Examples,
    parameters: Parameters,
    *,
    temperature: float,
    before_fold: BeforeFold = lambda _: None,
) -> OutOfFold:
    """Predict each song by a classifier that was trained on a random three fourths of the others.

    Args:
        examples: n songs.
        parameters: of the recipe.
        temperature: fitted elsewhere.
        before_fold: told of each fold.
    """
    folds = random_folds(examples.labels, seed=parameters.seed)
    classifiers = _train_on_folds(examples, folds, parameters, before_fold)
    logits = _out_of_fold_logits(examples, folds, classifiers)
    calibrated = [replace(classifier, temperature=temperature) for classifier in classifiers]
    split = f"{FOLDS} random folds of {len(logits)} songs, artists on both sides"
    return _out_of_fold(logits, folds, calibrated, temperature, split)


def _train_on_folds(
    examples: Examples, folds: Sequence[Fold], parameters: Parameters, before_fold: BeforeFold
) -> list[Classifier]:
    classifiers = []
    for number, (trained, _) in enumerate(folds):
        before_fold(number)
        classifiers.append(fit(examples.take(trained), parameters))
    return classifiers


def _out_of_fold_logits(
    examples: Examples, folds: Sequence[Fold], classifiers: Sequence[Classifier]
) -> npt.NDArray[np.float64]:
    """Return log-odds of each song by the classifier of its fold, before the temperature."""
    logits = np.zeros((len(examples), examples.genre_count))
    for classifier, (_, scored) in zip(classifiers, folds, strict=True):
        logits[scored] = classifier.logits(examples.features[scored])
    return logits


def _out_of_fold(
    logits: npt.NDArray[np.float64],
    folds: Sequence[Fold],
    classifiers: Sequence[Classifier],
    temperature: float,
    split: str,
) -> OutOfFold:
    probabilities = np.zeros_like(logits)
    for classifier, (_, scored) in zip(classifiers, folds, strict=True):
        probabilities[scored] = softmax(logits[scored] / classifier.temperature)
    return OutOfFold(tuple(folds), tuple(classifiers), probabilities, temperature, split)
