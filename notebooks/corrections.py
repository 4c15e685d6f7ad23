"""Measure the gain from corrections: `python notebooks/corrections.py FIGURE.png` draws the curve.

The labelled songs stand for a catalogue, and their genres for people's corrections. A model that was trained
on none of them learns from some of them, with the service's own code, and is scored on the others.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import starmap
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
from experiments import interval
from matplotlib.figure import Figure
from workbench import data_folder, genre_colours, recipe_parameters, seeds, training_files

from ml.model.ensemble import Classifier
from ml.songs.contract import Songs
from ml.training.continuation import Start, continue_from, strata
from ml.training.folds import grouped_folds, pseudo_artists
from ml.training.learn import group_size
from ml.training.parameters import Parameters
from ml.training.recipe import fit
from ml.training.scores import totals
from ml.training.train import LoadedFiles, load

Positions = npt.NDArray[np.intp]

VERIFIED = (25, 50, 100, 200)
QUEUE, RANDOM = "review queue", "at random"
REST, NEW = "rest of the catalogue", "new artists"
SOUND, HALF = "never saw a labelled song", "saw the other half's artists"
"""Initial models: trained only on the sound of further songs; on these and half of the artist-like groups."""

_MIN_SCORED = 15
"""Minimum number of songs of the pool that are scored."""


@dataclass(frozen=True, slots=True)
class Run:
    """An initial model that learns from some verified songs.

    Attributes:
        start: name of the initial model.
        order: the order in which songs are verified, QUEUE or RANDOM.
        verified: number of verified songs.
        seed: seed of the folds and of the order.
        classifier: the initial model.
        pool: songs that may be verified.
        new: songs of artist-like groups that are not in the pool.
    """

    start: str
    order: str
    verified: int
    seed: int
    classifier: Classifier
    pool: Positions
    new: Positions


def runs(loaded: LoadedFiles, parameters: Parameters, seeds_: Sequence[int]) -> Iterator[Run]:
    """Yield a run for each seed, initial model, fold of artist-like groups, number of songs and order."""
    examples, groups = loaded.examples, loaded.data.groups
    everything = np.arange(len(examples.labels))
    sound = None
    if len(examples.further_labels):
        none = examples.take(everything[:0])
        changes = {"features": examples.further_features, "labels": examples.further_labels}
        changes |= {"further_features": none.features, "further_labels": none.labels}
        sound = fit(replace(examples, **changes), parameters)
    for seed in seeds_:
        halves = grouped_folds(examples.labels, groups, seed=seed // 2)
        trained = np.sort(np.concatenate([halves[2 * (seed % 2) + part][1] for part in (0, 1)]))
        starts = {HALF: (fit(examples.take(trained), parameters), np.setdiff1d(everything, trained))}
        if sound is not None:
            starts[SOUND] = (sound, everything)
        for name, (classifier, rows) in starts.items():
            for pool, new in grouped_folds(strata(examples.labels[rows]), groups[rows], seed=seed):
                for verified in VERIFIED:
                    if verified + _MIN_SCORED <= len(pool):
                        for order in (QUEUE, RANDOM):
                            yield Run(name, order, verified, seed, classifier, rows[pool], rows[new])


def experiment(
    loaded: LoadedFiles, parameters: Parameters, seeds_: Sequence[int]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Verify, learn and score.

    Returns:
        A row for each song scored in each run, with whether the models before and after learning are right;
        and a row for each run, with the gain that learning itself estimates.
    """
    all_runs = list(runs(loaded, parameters, seeds_))
    with ThreadPoolExecutor(2) as pool:  # LightGBM releases the interpreter's lock
        scored, estimates = zip(*pool.map(lambda run: _learn(run, loaded, parameters), all_runs), strict=True)
    return pd.concat(scored, ignore_index=True), pd.DataFrame(list(estimates))


def curve(scored: pd.DataFrame, groups: npt.NDArray[np.int64]) -> pd.DataFrame:
    """Return accuracy before and after, and the gain with its 95 % interval over artist-like groups, in %."""

    def row(key: tuple[str, ...], songs: pd.DataFrame) -> dict[str, object]:
        of_song = songs.groupby("song")[["before", "after"]].mean()
        gains = (of_song["after"] - of_song["before"]).to_numpy()
        _, low, high = interval(gains, groups[of_song.index])
        means = {"before": of_song["before"].mean(), "after": of_song["after"].mean(), "gain": gains.mean()}
        shares = means | {"low": low, "high": high}
        return dict(zip(KEYS, key, strict=True)) | {name: 100 * share for name, share in shares.items()}

    return pd.DataFrame(list(starmap(row, scored.groupby(list(KEYS)))))


KEYS = ("start", "songs", "order", "verified")


def over_random(scored: pd.DataFrame, groups: npt.NDArray[np.int64]) -> pd.DataFrame:
    """Return the gain of verifying in the queue's order over random order, in % with intervals."""
    rows = []
    for (start, songs, verified), part in scored.groupby(["start", "songs", "verified"]):
        after = part.pivot_table("after", "song", "order").dropna()
        gains = (after[QUEUE] - after[RANDOM]).to_numpy()
        _, low, high = interval(gains, groups[after.index])
        rows.append([start, songs, verified, 100 * gains.mean(), 100 * low, 100 * high])
    return pd.DataFrame(rows, columns=["start", "songs", "verified", "gain", "low", "high"])


def draw(gains: pd.DataFrame, songs: str) -> Figure:
    """Draw the gain over the number of verified songs, a panel for each start."""
    starts = [start for start in (SOUND, HALF) if start in set(gains["start"])]
    figure, axes = plt.subplots(1, len(starts), figsize=(4.6 * len(starts), 2.9), sharey=True, squeeze=False)
    for start, panel in zip(starts, axes[0], strict=True):
        part = gains[(gains["start"] == start) & (gains["songs"] == songs)]
        for shift, (order, line) in zip((-1.5, 1.5), part.groupby("order"), strict=True):
            panel.errorbar(
                line["verified"] + shift,
                line["gain"],
                [line["gain"] - line["low"], line["high"] - line["gain"]],
                marker="o",
                capsize=3,
                label=order,
            )
        panel.axhline(0, color="black", linewidth=0.8)
        before = part["before"].mean()
        panel.set(xlabel="verified songs", title=f"A model that {start}: {before:.0f} % before")
        panel.set_xticks(sorted(set(part["verified"])))
    axes[0][0].set_ylabel("gain in accuracy, points")
    axes[0][0].legend(loc="upper left")
    figure.suptitle(f"What corrections give on the {songs} (95 % intervals)", fontsize="medium")
    return figure


def _learn(run: Run, loaded: LoadedFiles, parameters: Parameters) -> tuple[pd.DataFrame, dict[str, object]]:
    examples, songs = loaded.examples, loaded.data.songs
    features, labels = examples.features, examples.labels
    order = np.random.default_rng(run.seed).permutation(run.pool)
    if run.order == QUEUE:
        order = run.pool[np.argsort(run.classifier.probabilities(features[run.pool]).max(axis=1))]
    verified, rest = order[: run.verified], order[run.verified :]
    start = Start(run.classifier, examples.genres, parameters, examples.names)
    groups = _groups(songs.take(verified), labels[verified])
    continued = continue_from(start, features[verified], labels[verified], groups)
    before = totals(run.classifier.probabilities(features[verified]), labels[verified])
    after = totals(continued.probabilities, labels[verified])
    refused = after.accuracy < before.accuracy or after.log_loss > before.log_loss
    learned = run.classifier if refused else continued.classifier
    parts = []
    for name, rows in ((REST, rest), (NEW, run.new)):
        models = (run.classifier, learned)
        hits = [model.logits(features[rows]).argmax(axis=1) == labels[rows] for model in models]
        scored = {"songs": name, "song": rows, "before": hits[0] * 1.0, "after": hits[1] * 1.0}
        parts.append(pd.DataFrame(scored))
    about = {name: getattr(run, name) for name in ("start", "order", "verified", "seed")}
    estimate = {"out of fold": 100 * (after.accuracy - before.accuracy)}
    actual = {part["songs"].iloc[0]: 100 * (part["after"] - part["before"]).mean() for part in parts}
    outcome = {"refused": refused, "rounds": continued.rounds} | estimate | actual
    return pd.concat(parts).assign(**about), about | outcome


def _groups(songs: Songs, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return pseudo_artists(songs, labels, size=group_size(labels))


if __name__ == "__main__":
    shipped = recipe_parameters()
    files = load(training_files(data_folder()), shipped)
    genre_colours(files.examples.genres)
    of_songs, _ = experiment(files, shipped, range(seeds()))
    draw(curve(of_songs, files.data.groups), REST).savefig(Path(sys.argv[1]))
