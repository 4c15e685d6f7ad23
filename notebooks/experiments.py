"""Changes to the recipe, scored on songs by unseen artists.

One booster stands in for the ensemble of four: it is slightly worse, takes a quarter of the time, and gains
from the same changes. Every score is a mean over seeds of folds and booster; every interval is a bootstrap
over artists or pseudo-artists, because predictions for songs of one artist are correlated.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.model.ensemble import softmax
from ml.training.folds import Fold
from ml.training.parameters import Parameters
from ml.training.recipe import Examples, fit_temperature, train_booster

Floats = npt.NDArray[np.float64]
Predictor = Callable[[npt.NDArray[np.float32]], Floats]
"""Returns log-odds, shape (n, genres), for features, shape (n, features)."""

Weigh = Callable[[Examples, Parameters], Floats]
"""Returns the weights of n labelled and m further songs, shape (n + m,)."""

Fit = Callable[[Examples, Parameters, int], Predictor]
"""Trains on examples with a seed."""

_RESAMPLES = 1_000
_INTERVAL = (0.025, 0.975)


def rebalanced(labelled_power: float, further_power: float) -> Weigh:
    """Return weights in inverse proportion to a power of the number of a genre's songs in each source."""

    def weights(examples: Examples, parameters: Parameters) -> Floats:
        parts = []
        for labels, power in ((examples.labels, labelled_power), (examples.further_labels, further_power)):
            raw = np.bincount(labels)[labels] ** -float(power) if len(labels) else np.empty(0)
            parts.append(raw / raw.mean() if len(labels) else raw)
        return np.concatenate([parts[0], parameters.further_weight * parts[1]])

    return weights


ROOT: Weigh = rebalanced(0.5, 0.5)
"""The weights of the first recipe."""


@dataclass(frozen=True, slots=True)
class Split:
    """Songs to score, and the folds that separate them from the training songs.

    Attributes:
        name: description of the folds.
        further: whether further songs are scored, by their sound, instead of labelled ones.
        labels: labels of the scored songs, shape (n,).
        groups: the number of each song's artist or pseudo-artist, shape (n,).
        folds: folds of these songs, four for each seed.
    """

    name: str
    further: bool
    labels: npt.NDArray[np.int64]
    groups: npt.NDArray[np.int64]
    folds: tuple[tuple[Fold, ...], ...]


@dataclass(frozen=True)
class Change:
    """A change to the first recipe; the defaults change nothing.

    Attributes:
        name: description of the change.
        parameters: parameters of the recipe to replace.
        settings: settings of LightGBM to replace.
        columns: positions of the features to use; None for all.
        factors: factors of the weights of further songs, shape (m,); 0 removes a song.
        further_labels: labels of the further songs to train with, shape (m,).
        weights: returns the weights of all songs.
        fit: trains a different predictor than one booster.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    columns: npt.NDArray[np.intp] | None = None
    factors: Floats | None = None
    further_labels: npt.NDArray[np.int64] | None = None
    weights: Weigh = ROOT
    fit: Fit | None = None

    def train(
        self, examples: Examples, further: npt.NDArray[np.intp], shipped: Parameters, seed: int
    ) -> Predictor:
        """Train on the labelled songs and the further songs at these positions."""
        parameters = shipped.model_copy(update=dict(self.parameters))
        if self.factors is not None:
            further = further[self.factors[further] > 0]
        labels = examples.further_labels if self.further_labels is None else self.further_labels
        seen = replace(
            examples, further_features=examples.further_features[further], further_labels=labels[further]
        )
        if self.fit is not None:
            return self.fit(seen, parameters, seed)
        weights = self.weights(seen, parameters)
        if self.factors is not None:
            weights[len(seen.labels) :] *= self.factors[further]
        columns = np.arange(len(seen.names)) if self.columns is None else self.columns
        booster = train_booster(
            _keep(seen, columns), parameters, seed=seed, weights=weights, settings=self.settings
        )
        return lambda features: np.asarray(
            booster.predict(features[:, columns], raw_score=True, num_threads=1)
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """The predictions of a change on a split.

    Attributes:
        split: the songs scored.
        logits: out-of-fold log-odds, shape (seeds, n, genres).
        temperature: temperature fitted on these.
        hits: share of seeds in which the most probable genre is the song's, shape (n,).
        losses: mean log-loss over seeds at the temperature, shape (n,).
    """

    split: Split
    logits: Floats
    temperature: float
    hits: Floats
    losses: Floats

    @classmethod
    def of(cls, split: Split, logits: Floats) -> Outcome:
        """Score log-odds."""
        seeds, n, genres = logits.shape
        temperature = fit_temperature(logits.reshape(-1, genres), np.tile(split.labels, seeds))
        probabilities = softmax(logits.reshape(-1, genres) / temperature).reshape(logits.shape)
        return cls(
            split,
            logits,
            temperature,
            hits=(logits.argmax(axis=2) == split.labels).mean(axis=0),
            losses=-np.log(probabilities[:, np.arange(n), split.labels]).mean(axis=0),
        )


def predict(
    changes: Sequence[Change], splits: Sequence[Split], examples: Examples, shipped: Parameters
) -> dict[str, dict[str, Outcome]]:
    """Train and score each change on each split, on all processor cores.

    Returns:
        Outcomes by name of the change, by name of the split.
    """
    jobs = [
        (change, split, seed, fold)
        for change in changes
        for split in splits
        for seed, folds in enumerate(split.folds)
        for fold in folds
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # LightGBM releases the interpreter's lock
        predictions = list(pool.map(_predict_fold, jobs, repeat(examples), repeat(shipped)))
    outcomes: dict[str, dict[str, Outcome]] = {change.name: {} for change in changes}
    for change in changes:
        for split in splits:
            logits = np.empty((len(split.folds), len(split.labels), len(examples.genres)))
            for (job_change, job_split, seed, (_, scored)), predicted in zip(jobs, predictions, strict=True):
                if job_change is change and job_split is split:
                    logits[seed, scored] = predicted
            outcomes[change.name][split.name] = Outcome.of(split, logits)
    return outcomes


def interval(values: Floats, groups: npt.NDArray[np.int64]) -> tuple[float, float, float]:
    """Return the standard error of songs' mean, and its 95 % interval, from resampling whole groups.

    Args:
        values: shape (n,), of songs.
        groups: shape (n,).
    """
    numbers = np.unique(groups, return_inverse=True)[1]
    sums, counts = np.bincount(numbers, values), np.bincount(numbers)
    drawn = np.random.default_rng(0).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), _RESAMPLES)
    means = (drawn @ sums) / (drawn @ counts)
    low, high = np.quantile(means, _INTERVAL)
    return float(means.std()), float(low), float(high)


def scores(outcome: Outcome) -> dict[str, float]:
    """Return accuracy and log-loss of an outcome, each with its interval."""
    row: dict[str, float] = {}
    for name, values in (("accuracy", outcome.hits), ("log-loss", outcome.losses)):
        _, low, high = interval(values, outcome.split.groups)
        row |= {name: float(values.mean()), f"{name} from": low, f"{name} to": high}
    return row


def compare(
    outcomes: Mapping[str, Mapping[str, Outcome]], shipped: str, splits: Sequence[str]
) -> pd.DataFrame:
    """Return the gain of each change over the shipped recipe, a row for each change and split.

    A gain is positive if the change is better, also in log-loss. Both are scored on the same songs, so that
    easy or hard songs do not widen the intervals.

    Args:
        outcomes: outcomes by name of the change and of the split.
        shipped: name of the recipe to compare with.
        splits: names of the splits; a change that was not scored on a split has no row for it.
    """
    rows = []
    for change, by_split in outcomes.items():
        for split in splits:
            if split not in by_split or change == shipped:
                continue
            outcome, base = by_split[split], outcomes[shipped][split]
            row = {"change": change, "split": split}
            row |= {"accuracy": outcome.hits.mean(), "log-loss": outcome.losses.mean()}
            gains_of = {"accuracy": outcome.hits - base.hits, "log-loss": base.losses - outcome.losses}
            for name, gains in gains_of.items():
                error, low, high = interval(gains, outcome.split.groups)
                row |= {f"{name} gain": gains.mean(), f"{name} error": error}
                row |= {f"{name} low": low, f"{name} high": high}
            rows.append(row)
    return pd.DataFrame(rows)


def mislabelled(probabilities: Floats, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return each song's likely genre, shape (n,), by confident learning.

    A song is assigned to another genre if its probability of that genre is at least the genre's mean
    probability among the songs labelled with it (Northcutt, Jiang, Chuang, JAIR 2021).

    Args:
        probabilities: shape (n, genres), out of fold.
        labels: shape (n,).
    """
    thresholds = np.array(
        [probabilities[labels == genre, genre].mean() for genre in range(probabilities.shape[1])]
    )
    confident = np.where(probabilities >= thresholds, probabilities, -1.0)
    return np.where(confident.max(axis=1) > 0, confident.argmax(axis=1), labels)


def one_against_rest(constrained: Mapping[int, int]) -> Fit:
    """Return a trainer of one binary booster for each genre.

    Args:
        constrained: by genre, the feature that may only raise its score.
    """

    def fit(examples: Examples, parameters: Parameters, seed: int) -> Predictor:
        weights = ROOT(examples, parameters)
        boosters = []
        for genre in range(len(examples.genres)):
            monotone = [0] * len(examples.names)
            if genre in constrained:
                monotone[constrained[genre]] = 1
            binary = replace(
                examples,
                labels=(examples.labels == genre).astype(np.int64),
                further_labels=(examples.further_labels == genre).astype(np.int64),
            )
            settings = {"objective": "binary", "num_class": 1, "monotone_constraints": monotone}
            boosters.append(train_booster(binary, parameters, seed=seed, weights=weights, settings=settings))
        return lambda features: np.column_stack(
            [np.asarray(booster.predict(features, raw_score=True, num_threads=1)) for booster in boosters]
        )

    return fit


def _predict_fold(job: tuple[Change, Split, int, Fold], examples: Examples, shipped: Parameters) -> Floats:
    change, split, seed, (trained, scored) = job
    everything = np.arange(len(examples.further_labels))
    if split.further:
        return change.train(examples, trained, shipped, seed)(examples.further_features[scored])
    return change.train(examples.take(trained), everything, shipped, seed)(examples.features[scored])


def _keep(examples: Examples, columns: npt.NDArray[np.intp]) -> Examples:
    return replace(
        examples,
        names=tuple(examples.names[column] for column in columns),
        features=examples.features[:, columns],
        further_features=examples.further_features[:, columns],
    )
