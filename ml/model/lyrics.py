"""Lyric tags as a sparse matrix: a row per song, a column per known word.

A song's tags are a *set* of words: order, case and repetitions do not matter. Column numbers are sorted
within a row, so that sums have a fixed order and a song's features depend on nothing else.
"""

from __future__ import annotations

import graphlib
from array import array
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import scipy.sparse as sp


class Vocabulary:
    """The words known to a model, with their columns."""

    def __init__(self, words: Iterable[str]) -> None:
        """Take words in column order.

        Raises:
            ValueError: they are not unique, in lower case, without commas and surrounding whitespace.
        """
        self.words: tuple[str, ...] = tuple(words)
        self._columns = _Columns((word, column) for column, word in enumerate(self.words))
        if len(self._columns) != len(self.words) or any(_words(word) != [word] for word in self.words):
            raise ValueError(
                "words of a vocabulary must be unique, not empty, in lower case, without spaces and commas"
            )

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
            return cls(order.static_order())
        except graphlib.CycleError:
            return cls(sorted({word for text in tags for word in _words(text)}))

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, tags: Sequence[str]) -> sp.csr_array:
        """Return the matrix of tag lists and words: stored values 1.0, column numbers sorted.

        Whitespace around words, case, empty words and words outside the vocabulary are ignored.
        """
        # Hot loop: one dictionary lookup for each of a file's 600,000 words.
        find = self._columns.__getitem__
        found = array("i")
        ends = [0]
        for text in tags:
            separator = ", " if text.count(", ") == text.count(",") else ","
            found.extend(map(find, text.lower().split(separator)))
            ends.append(len(found))
        columns = np.array(found, np.int32)
        known = columns >= 0
        starts = np.append(0, np.cumsum(known))[ends].astype(np.int32)
        words = sp.csr_array((np.ones(starts[-1]), columns[known], starts), shape=(len(tags), len(self)))
        words.sum_duplicates()  # also sorts the columns
        words.data[:] = 1.0
        return words


class _Columns(dict[str, int]):
    """Columns by word, also with surrounding whitespace; -1 for unknown words."""

    def __missing__(self, word: str) -> int:
        return self.get(word.strip(), -1)


def _words(text: str) -> list[str]:
    """Return the words of a tag list."""
    return [word for word in map(str.strip, text.lower().split(",")) if word]
