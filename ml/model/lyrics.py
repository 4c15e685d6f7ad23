"""Lyric tags as a sparse matrix: a row per song, a column per known word.

A song's tags are a *set* of words: order, case and repetitions do not matter. Column numbers are sorted
within a row, so that sums have a fixed order and a song's features depend on nothing else.
"""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.sparse as sp


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


def _words(text: str) -> list[str]:
    """Return the words of a tag list."""
    return [word for word in map(str.strip, text.lower().split(",")) if word]
