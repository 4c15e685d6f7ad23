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
import numpy.typing as npt
import scipy.sparse as sp

_COMMA = ","
_COMMA_BLANK = ", "


class Vocabulary:
    """The words known to a model, with their columns.

    Args:
        words: unique words in column order, in lower case, not empty, without commas or surrounding
            whitespace.

    Raises:
        ValueError: the words do not meet these conditions.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self.words: tuple[str, ...] = tuple(words)
        self._columns = _Columns((word, column) for column, word in enumerate(self.words))
        if len(self._columns) != len(self.words) or any(_pieces(word) != [word] for word in self.words):
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
            words = list(dict.fromkeys(_pieces(text)))
            for word in words[:1]:
                order.add(word)
            for before, after in pairwise(words):
                order.add(after, before)
        try:
            return cls(order.static_order())
        except graphlib.CycleError:
            return cls(sorted({word for text in tags for word in _pieces(text)}))

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, tags: Sequence[str]) -> sp.csr_array:
        """Return the matrix of tag lists and words.

        Whitespace around words, case, empty words and words outside the vocabulary are ignored.

        Returns:
            Shape (tag lists, words of the vocabulary), stored values 1.0, column numbers sorted.
        """
        # Hot loop: one dictionary lookup for each of a file's 600,000 words.
        find = self._columns.__getitem__
        found = array("i")
        ends = [0]
        for text in tags:
            found.extend(map(find, _tokens(text)))
            ends.append(len(found))
        columns = np.array(found, np.int64)
        rows = np.repeat(np.arange(len(tags), dtype=np.int64), np.diff(ends))
        missed = np.flatnonzero(columns < 0)
        if len(missed):
            late = self._look_again(
                (row, tags[row], place - ends[row])
                for row, place in zip(rows[missed].tolist(), missed.tolist(), strict=True)
            )
            known = columns >= 0
            rows, columns = np.append(rows[known], late[:, 0]), np.append(columns[known], late[:, 1])
        return self._matrix(rows, columns, len(tags))

    def _matrix(
        self, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], songs: int
    ) -> sp.csr_array:
        """Return the matrix with ones at these places, in any order, possibly repeated."""
        width = max(len(self), 1)
        places = rows * width + columns
        if not np.all(places[1:] > places[:-1]):
            places.sort(kind="stable")  # timsort: very fast if nearly sorted
            rows, columns = np.divmod(places[np.diff(places, prepend=-1) > 0], width)
        starts = np.zeros(songs + 1, np.int32)
        np.cumsum(np.bincount(rows, minlength=songs), out=starts[1:])
        return sp.csr_array(
            (np.ones(len(columns)), columns.astype(np.int32), starts), shape=(songs, len(self))
        )

    def _look_again(self, missed: Iterable[tuple[int, str, int]]) -> npt.NDArray[np.int64]:
        """Look up tokens again that were not found: they may be unknown, empty, or have extra spaces.

        Args:
            missed: song, its tags, and the index of the token.

        Returns:
            Song and column of each word that is known, shape (words, 2).
        """
        known = [
            (row, self._columns[word])
            for row, text, token in missed
            for word in _pieces(_tokens(text)[token])
            if word in self._columns
        ]
        return np.array(known, np.int64).reshape(-1, 2)


class _Columns(dict[str, int]):
    """Columns by word; -1 for unknown words."""

    def __missing__(self, word: str) -> int:
        return -1


def _tokens(text: str) -> list[str]:
    """Split a tag list fast into tokens, which are usually words; `_pieces` handles all others."""
    return text.lower().split(_COMMA_BLANK if _COMMA_BLANK in text else _COMMA)


def _pieces(text: str) -> list[str]:
    """Return the words of a tag list."""
    return [word for word in map(str.strip, text.lower().split(_COMMA)) if word]
