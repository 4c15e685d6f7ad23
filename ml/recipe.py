"""The recipe: how a classifier is trained, and how it predicts songs it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ml.calibration import fit_temperature
from ml.classifier import Classifier, train_classifier
from ml.cross_validation import FOLDS, Fold, grouped_folds, random_folds
from ml.examples import Examples
from ml.parameters import Parameters
from ml.temperature import Temperature

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
    temperature: Temperature
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
    verdicts = _Verdicts.out_of_fold(examples, folds, classifiers)
    calibrated = [
        replace(classifier, temperature=verdicts.temperature(trained))
        for classifier, (trained, _) in zip(classifiers, folds, strict=True)
    ]
    split = f"{FOLDS} folds of {len(examples)} songs, no {group_name} in two of them"
    everybody = np.arange(len(examples))
    return _out_of_fold(examples, folds, calibrated, verdicts.temperature(everybody), split)


def predict_random(
    examples: Examples,
    parameters: Parameters,
    *,
    temperature: Temperature,
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
    calibrated = [replace(classifier, temperature=temperature) for classifier in classifiers]
    split = f"{FOLDS} random folds of {len(examples)} songs, artists on both sides"
    return _out_of_fold(examples, folds, calibrated, temperature, split)


def _train_on_folds(
    examples: Examples, folds: Sequence[Fold], parameters: Parameters, before_fold: BeforeFold
) -> list[Classifier]:
    classifiers = []
    for number, (trained, _) in enumerate(folds):
        before_fold(number)
        classifiers.append(fit(examples.take(trained), parameters))
    return classifiers


@dataclass(frozen=True, slots=True)
class _Verdicts:
    """What the classifiers of folds say of the songs they were not trained on, before the temperature.

    Attributes:
        logits: shape (n, genres).
        wordless_logits: of the same shape, as if no word of any song were known.
        evidence: shape (n,), how much the words of each song count.
        labels: shape (n,), the true genres.
    """

    logits: npt.NDArray[np.float64]
    wordless_logits: npt.NDArray[np.float64]
    evidence: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]

    @classmethod
    def out_of_fold(
        cls, examples: Examples, folds: Sequence[Fold], classifiers: Sequence[Classifier]
    ) -> _Verdicts:
        shape = (len(examples), examples.genre_count)
        verdicts = cls(np.zeros(shape), np.zeros(shape), np.zeros(len(examples)), examples.labels)
        for classifier, (_, scored) in zip(classifiers, folds, strict=True):
            features = examples.features[scored]
            verdicts.logits[scored] = classifier.logits(features)
            verdicts.wordless_logits[scored] = classifier.sound.logits(features)
            verdicts.evidence[scored] = classifier.evidence(features)
        return verdicts

    def temperature(self, rows: npt.NDArray[np.intp]) -> Temperature:
        """Return the temperature that fits these songs."""
        return fit_temperature(
            self.logits[rows], self.wordless_logits[rows], self.evidence[rows], self.labels[rows]
        )


def _out_of_fold(
    examples: Examples,
    folds: Sequence[Fold],
    classifiers: Sequence[Classifier],
    temperature: Temperature,
    split: str,
) -> OutOfFold:
    probabilities = np.zeros((len(examples), examples.genre_count))
    for classifier, (_, scored) in zip(classifiers, folds, strict=True):
        probabilities[scored] = classifier.probabilities(examples.features[scored])
    return OutOfFold(tuple(folds), tuple(classifiers), probabilities, temperature, split)
