"""Lyric tags as a sparse matrix of songs and known words, and statistics by the lists in `word_lists.toml`.

A song's tags are a *set* of words: order, case and repetitions do not matter. Column numbers are sorted
within a row, so that sums have a fixed order and a song's features depend on nothing else.
"""

from __future__ import annotations

import graphlib
import math
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

_LISTS = tomllib.loads(Path(__file__).with_name("word_lists.toml").read_text(encoding="utf-8"))

COMMON_WORDS = {name: frozenset(words.split()) for name, words in _LISTS["languages"].items()}
"""Common words by language, in the order of the features."""

THEMES = {name: frozenset(theme["words"].split()) for name, theme in _LISTS["themes"].items()}
"""Words by theme, in the order of the features."""

THEME_LABELS: dict[str, str] = {name: theme["label"] for name, theme in _LISTS["themes"].items()}

WORD_STATISTICS = (
    *(f"share_{language}" for language in COMMON_WORDS),
    "share_not_ascii",
    "share_rare",
    "mean_document_frequency",
    "mean_log_document_frequency",
    "share_frequent",
    "mean_word_length",
    *(f"share_{theme}" for theme in THEMES),
)
"""Statistics of a song's known tags: shares of them among the common words of six languages, with characters
outside ASCII, in at most one song of the corpus, in over 30 % of them; mean share of the corpus' songs that
have the tag, mean log(1 + number of them); mean number of characters; share of tags in each theme."""

_FREQUENT = 0.3
"""A word in more than this share of songs counts as frequent."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words known to a model, unique and in lower case, with their columns in this order."""

    words: tuple[str, ...]

    @classmethod
    def of(cls, tags: Iterable[str]) -> Vocabulary:
        """Return the vocabulary of all words in these tag lists.

        If the lists agree on an order of words, columns have this order, which saves `encode` from sorting
        each song's words; otherwise they are in alphabetical order.
        """
        order: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
        for text in tags:
            words = list(dict.fromkeys(_words(text)))
            for word in words[:1]:
                order.add(word)
            for before, after in pairwise(words):
                order.add(after, before)
        try:
            return cls(tuple(order.static_order()))
        except graphlib.CycleError:
            return cls(tuple(sorted({word for text in tags for word in _words(text)})))

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, tags: Sequence[str]) -> sp.csr_array:
        """Return the matrix of tag lists and words: stored values 1.0, column numbers sorted.

        Whitespace around words, case, empty words and words outside the vocabulary are ignored.
        """
        from pyarrow import array, compute  # noqa: PLC0415 - slow to import, and not needed at startup

        words = compute.split_pattern(array([text.lower() for text in tags], "string"), ",")
        found = compute.index_in(compute.utf8_trim_whitespace(words.flatten()), array(self.words, "string"))
        known = found.is_valid().to_numpy(zero_copy_only=False)
        starts = np.append(0, np.cumsum(known))[words.offsets.to_numpy()].astype(np.int32)
        columns = np.array(found.drop_null())
        matrix = sp.csr_array((np.ones(len(columns)), columns, starts), shape=(len(tags), len(self)))
        matrix.sum_duplicates()  # also sorts the columns
        matrix.data[:] = 1.0
        return matrix


def word_statistics(
    words: Sequence[str], frequencies: npt.NDArray[np.float64], songs: int
) -> npt.NDArray[np.float64]:
    """Return each word's contributions to the `WORD_STATISTICS`, shape (words, statistics).

    A statistic is the mean of the contributions of a song's words. `frequencies`, shape (words,), are the
    numbers of songs with each word, among all `songs` of the corpus.
    """
    shares = frequencies / songs
    columns = [
        *([word in common for word in words] for common in COMMON_WORDS.values()),
        [not word.isascii() for word in words],
        frequencies <= 1,
        shares,
        [math.log1p(frequency) for frequency in frequencies.tolist()],
        shares > _FREQUENT,
        [len(word) for word in words],
        *([word in theme for word in words] for theme in THEMES.values()),
    ]
    return np.column_stack([np.asarray(column, np.float64) for column in columns])


def _words(text: str) -> list[str]:
    """Return the words of a tag list."""
    return [word for word in map(str.strip, text.lower().split(",")) if word]
