"""Extract the model's features from songs, for training and serving.

A song's features must be bit-identical regardless of the other songs. So nothing here may use BLAS, whose
sums depend on the number of rows; sparse products go row by row in column order. Missing values are NaN,
which LightGBM handles natively.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ml.model.lyrics import WORD_STATISTICS, Vocabulary, word_statistics
from ml.songs.contract import NUMBER_NAMES, Songs

LYRIC_STATISTICS = ("tag_count", *WORD_STATISTICS)
"""The number of known tags, and statistics of them. Tags outside the vocabulary do not count."""

LEXICAL_PREFIX = "lyrics_"

TAG_COUNT = len(NUMBER_NAMES)
"""The column of the number of known tags."""


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
    weights: npt.NDArray[np.float64]
    squared_idf: npt.NDArray[np.float64]
    intercepts: npt.NDArray[np.float64]


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
    frequencies: npt.NDArray[np.float64]
    corpus_songs: int
    lexical: LexicalScorer | None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the features, in column order."""
        genres = () if self.lexical is None else self.lexical.genres
        return (*NUMBER_NAMES, *LYRIC_STATISTICS, *_lexical_names(genres))

    def transform(self, songs: Songs) -> npt.NDArray[np.float32]:
        """Return the features of songs, shape (n, features), C-contiguous."""
        return self.features(songs.numbers, songs.tags)

    def features(self, numbers: npt.NDArray[np.floating], tags: Sequence[str]) -> npt.NDArray[np.float32]:
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
    def _word_attributes(self) -> npt.NDArray[np.float64]:
        """The terms of each known word in a song's sums: statistics, lexical weights, squared idf."""
        statistics = word_statistics(self.vocabulary.words, self.frequencies, self.corpus_songs)
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
