"""How long the shipped model takes for 10,000 songs, beside the plain recipe that it grew out of.

    python -m tests.benchmarks.prediction

The plain recipe: audio, lyric statistics and lexical genre scores into four LightGBM boosters of 250 rounds
and 6 leaves. It is given this program's own features, which are made faster than by pandas and scikit-learn,
so that the ratio flatters nobody. Both take turns in one run, in one thread; what they are trained on does
not matter for the time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from rich.console import Console

from app.resources import resource
from ml.artifact import load_ensemble
from ml.cross_validation import random_folds
from ml.ensemble import Ensemble
from ml.examples import Examples
from ml.parameters import Parameters
from ml.song_file import SongFile
from ml.songs import Songs
from ml.training_data import read_labelled_songs
from ml.trees import train_booster, tree_logits

SONGS = 10_000
ROUNDS = 7
PLAIN = Parameters(rounds=250, learning_rate=0.05, num_leaves=6)


def many_songs() -> Songs:
    """Return 10,000 songs: the sample's, repeated."""
    path = resource("data") / "sample" / "songs.csv"
    with path.open("rb") as file:
        songs = next(iter(SongFile(file, name=path.name).chunks()))
    return songs.take(np.arange(SONGS) % len(songs))


def plain_recipe(ensemble: Ensemble) -> Callable[[Songs], npt.NDArray[np.float64]]:
    """Train the plain recipe on the sample songs and return its prediction."""
    sample = resource("data") / "sample"
    data = read_labelled_songs(sample / "features.csv", sample / "labels.csv")
    extractor = ensemble.extractor
    examples = Examples(extractor.transform(data.songs), data.labels, extractor.names, len(data.genres))
    boosters = [
        train_booster(examples.take(trained), PLAIN, seed=0)
        for trained, _ in random_folds(data.labels, seed=0)
    ]
    return lambda songs: tree_logits(boosters, extractor.transform(songs))


def seconds(predict: Callable[[Songs], npt.NDArray[np.float64]], songs: Songs) -> float:
    """Return how long one prediction takes."""
    start = time.perf_counter()
    predict(songs)
    return time.perf_counter() - start


def main() -> None:
    """Measure both and print their medians and ratio."""
    ensemble, songs = load_ensemble(resource("model")), many_songs()
    plain = plain_recipe(ensemble)
    turns = [(seconds(ensemble.predict, songs), seconds(plain, songs)) for _ in range(ROUNDS)]
    ours, theirs = (statistics.median(side) for side in zip(*turns, strict=True))
    Console().print(
        f"{SONGS:,} songs, one thread, medians of {ROUNDS}: shipped model {ours:.3f} s, plain recipe "
        f"{theirs:.3f} s, ratio {ours / theirs:.2f}",
        highlight=False,
    )


if __name__ == "__main__":
    main()
