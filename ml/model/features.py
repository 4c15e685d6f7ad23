"""Extract the model's features from songs, for training and serving.

A song's features must be bit-identical regardless of the other songs. So nothing here may use BLAS, whose
sums depend on the number of rows; sparse products go row by row in column order. Missing values are NaN,
which LightGBM handles natively.

A song's tags are a *set* of words: order, case and repetitions do not matter. They become a row of a sparse
matrix, with sorted column numbers, so that sums have a fixed order.
"""

from __future__ import annotations

import graphlib
import math
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ml.songs.contract import NUMBER_NAMES, Float32Array, Float64Array, Songs

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

LYRIC_STATISTICS = ("tag_count", *WORD_STATISTICS)
"""The number of known tags, and statistics of them. Tags outside the vocabulary do not count."""

LEXICAL_PREFIX = "lyrics_"

TAG_COUNT = len(NUMBER_NAMES)
"""The column of the number of known tags."""


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
        indices = compute.index_in(compute.utf8_trim_whitespace(words.flatten()), array(self.words, "string"))
        known = indices.is_valid().to_numpy(zero_copy_only=False)
        starts = np.append(0, np.cumsum(known))[words.offsets.to_numpy()].astype(np.int32)
        columns = np.array(indices.drop_null())
        matrix = sp.csr_array((np.ones(len(columns)), columns, starts), shape=(len(tags), len(self)))
        matrix.sum_duplicates()  # also sorts the columns
        matrix.data[:] = 1.0
        return matrix


def _word_statistics(words: Sequence[str], frequencies: Float64Array, songs: int) -> Float64Array:
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


@dataclass(frozen=True, slots=True)
class LexicalScorer:
    """Scores how typical a song's words are of each genre of a lyrics corpus.

    The scores are linear in tf-idf vectors of unit length.

    Attributes:
        genres: the corpus's genres, sorted; they may differ from the songs' genres.
        weights: shape (words, genres), with the words' idf already multiplied in.
        squared_idf: shape (words,); 0 for ignored words.
        intercepts: shape (genres,).
    """

    genres: tuple[str, ...]
    weights: Float64Array
    squared_idf: Float64Array
    intercepts: Float64Array


@dataclass(frozen=True)
class FeatureExtractor:
    """Extracts features from songs.

    Attributes:
        vocabulary: the words of the corpus.
        frequencies: shape (words,), the number of songs of the corpus with each word.
        corpus_songs: the number of songs in the corpus.
        lexical: scorer of lyrics; None without a lyrics corpus with genres.
    """

    vocabulary: Vocabulary
    frequencies: Float64Array
    corpus_songs: int
    lexical: LexicalScorer | None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the features, in column order."""
        genres = () if self.lexical is None else self.lexical.genres
        return (*NUMBER_NAMES, *LYRIC_STATISTICS, *_lexical_names(genres))

    def transform(self, songs: Songs) -> Float32Array:
        """Return the features of songs, shape (n, features), C-contiguous."""
        return self.features(songs.numbers, songs.tags)

    def features(self, numbers: npt.NDArray[np.floating], tags: Sequence[str]) -> Float32Array:
        """Return the features of numbers, shape (n, 154), NaN where missing, and n tag lists.

        Without tags, all lyric features are NaN; with only unknown tags, all except the number of known
        tags, which is 0.
        """
        words = self.vocabulary.encode(tags)
        sums = words @ self._word_attributes
        counts = np.diff(words.indptr).astype(np.float64)
        shares = np.where(counts > 0, counts, np.nan)[:, None]
        end = TAG_COUNT + len(LYRIC_STATISTICS)
        features = np.empty((len(tags), len(self.names)), np.float32)
        features[:, :TAG_COUNT] = numbers
        features[:, TAG_COUNT] = np.where([bool(text.strip()) for text in tags], counts, np.nan)
        features[:, TAG_COUNT + 1 : end] = sums[:, : len(WORD_STATISTICS)] / shares
        if self.lexical is not None:
            length = np.sqrt(sums[:, -1:])
            length[length == 0] = 1.0
            scores = sums[:, len(WORD_STATISTICS) : -1] / length + self.lexical.intercepts
            features[:, end:] = np.where(counts[:, None] > 0, scores, np.nan)
        return features

    @cached_property
    def _word_attributes(self) -> Float64Array:
        """The terms of each known word in a song's sums: statistics, lexical weights, squared idf."""
        statistics = _word_statistics(self.vocabulary.words, self.frequencies, self.corpus_songs)
        if self.lexical is None:
            return statistics
        return np.hstack([statistics, self.lexical.weights, self.lexical.squared_idf[:, None]])


def _lexical_names(genres: Sequence[str]) -> list[str]:
    """Return unique names for the genres' scores, with characters that LightGBM accepts."""
    names: list[str] = []
    for position, genre in enumerate(genres):
        name = LEXICAL_PREFIX + re.sub(r"[^0-9a-z]+", "_", genre.lower())
        names.append(f"{name}_{position}" if name in names else name)
    return names
