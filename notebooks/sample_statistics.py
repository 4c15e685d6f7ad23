"""Measure statistics of real songs, from which `ml.training.sample_data` generates synthetic songs.

`python notebooks/sample_statistics.py FEATURES.csv LABELS.csv` prints the content of
`ml/training/sample_statistics.json`.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri
from scipy.stats import rankdata

from ml.songs.contract import NUMBER_COLUMNS
from ml.training.data import read_labelled_songs
from ml.training.sample_data import QUANTILES, SampleStatistics

FACTORS = 12

EXCLUDED_WORDS = frozenset({"ass", "dick", "fuck", "fuckin", "pussi", "rape", "shit"})
"""Words that synthetic songs must not contain."""

MIN_SONGS_OF_WORD = 4
"""Words in fewer songs are dropped: they would identify songs rather than genres."""


def measure_statistics(features: Path, labels: Path) -> SampleStatistics:
    """Measure the statistics of labelled songs.

    Args:
        features: a song file.
        labels: a CSV with the columns trackID and genre; songs without a genre are ignored.
    """
    data = read_labelled_songs(features, labels)
    numbers = data.songs.numbers.astype(np.float64)
    tag_lists = [[word.strip() for word in tags.split(",")] for tags in data.songs.tags]
    genres, genre = np.unique(data.genres, return_inverse=True)
    of_genre = [genre == number for number in range(len(genres))]
    is_integer = np.array([column.integer for column in NUMBER_COLUMNS])
    real = numbers[:, ~is_integer]
    normal = ndtri((rankdata(real, axis=0) - 0.5) / len(real))
    means = np.array([normal[rows].mean(axis=0) for rows in of_genre])
    rest = normal - means[genre]
    _, strengths, directions = np.linalg.svd(rest, full_matrices=False)
    factors = directions[:FACTORS] * strengths[:FACTORS, None] / np.sqrt(len(rest))
    own = np.sqrt(np.maximum(rest.var(axis=0) - (factors**2).sum(axis=0), 0.01))

    words = _vocabulary(tag_lists)
    counts = [Counter(word for row in np.flatnonzero(rows) for word in tag_lists[row]) for rows in of_genre]
    sizes = np.array([len(tags) for tags in tag_lists])
    return SampleStatistics(
        genres=genres.tolist(),
        songs=[int(rows.sum()) for rows in of_genre],
        quantiles=[
            [float(f"{value:.5g}") for value in column] for column in np.quantile(real, QUANTILES, axis=0).T
        ],
        means=_rounded(means),
        factors=_rounded(factors),
        own=_rounded(own),
        integers={
            column.name: [
                np.bincount(numbers[rows, position].astype(int), minlength=int(column.maximum) + 1).tolist()
                for rows in of_genre
            ]
            for position, column in enumerate(NUMBER_COLUMNS)
            if column.integer
        },
        tags=[np.quantile(sizes[rows], QUANTILES).round(1).tolist() for rows in of_genre],
        words=words,
        word_songs=[[count[word] for word in words] for count in counts],
    )


def to_json(statistics: SampleStatistics) -> str:
    """Return the statistics as JSON, one line per attribute."""
    lines = (
        f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'), ensure_ascii=False)}"
        for name, value in asdict(statistics).items()
    )
    return "{" + ",\n".join(lines) + "}\n"


def _rounded(values: npt.NDArray[np.float64]) -> list[Any]:
    return list(values.round(3).tolist())


def _vocabulary(tag_lists: Iterable[Sequence[str]]) -> list[str]:
    """Return the words of at least `MIN_SONGS_OF_WORD` songs, in the order common to all songs."""
    order: TopologicalSorter[str] = TopologicalSorter()
    songs: Counter[str] = Counter()
    for tags in tag_lists:
        songs.update(set(tags))
        for word, following in pairwise(tags):
            order.add(following, word)
    frequent = (word for word in order.static_order() if songs[word] >= MIN_SONGS_OF_WORD)
    return [word for word in frequent if word not in EXCLUDED_WORDS]


if __name__ == "__main__":
    sys.stdout.write(to_json(measure_statistics(Path(sys.argv[1]), Path(sys.argv[2]))))
