"""Measure the shipped model in one thread: predictions, the boosters' share of them, and explanations.

python -m tests.benchmarks.prediction
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console

from app import resource
from ml.model.artifact import load_ensemble
from ml.model.explanation import explain
from ml.songs.contract import Songs
from ml.songs.csv_songs import SongFile

SONGS = 10_000
EXPLAINED_SONGS = 1_000
ROUNDS = 7


def repeated_songs() -> Songs:
    """Return the sample songs, repeated up to 10,000 songs."""
    path = resource("data") / "sample" / "songs.csv"
    with path.open("rb") as file:
        songs = next(iter(SongFile(file, name=path.name).chunks()))
    return songs.take(np.arange(SONGS) % len(songs))


def seconds(work: Callable[[], object]) -> float:
    """Return the median duration of some work."""
    durations = []
    for _ in range(ROUNDS):
        before = time.perf_counter()
        work()
        durations.append(time.perf_counter() - before)
    return statistics.median(durations)


def main() -> None:
    """Measure and print."""
    ensemble, songs = load_ensemble(resource("model")), repeated_songs()
    features = ensemble.extractor.transform(songs)
    some = songs.take(slice(EXPLAINED_SONGS))
    genres = [ensemble.genres[genre] for genre in ensemble.classify(some).probabilities.argmax(axis=1)]
    whole = seconds(lambda: ensemble.classify(songs).probabilities)
    boosters = seconds(lambda: ensemble.classifier.logits(features))
    explained = seconds(lambda: explain(ensemble, some, genres))
    Console().print(
        f"One thread, medians of {ROUNDS} rounds. {SONGS:,} songs: {whole:.3f} s, of which "
        f"{boosters:.3f} s for the boosters. Explaining {EXPLAINED_SONGS:,} songs: {explained:.3f} s.",
        highlight=False,
        soft_wrap=True,
    )


if __name__ == "__main__":
    main()
