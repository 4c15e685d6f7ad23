"""The numbers that the model looks at, made from songs: one module for training and serving.

A song's features depend on nothing but the song and the extractor: not on the songs around it, bit for
bit. So nothing here may use BLAS, whose sums change with the number of rows; sparse products go row by
row in the order of columns.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ml.labels import LyricsCorpus
from ml.languages import COMMON_WORDS
from ml.lexical import LexicalScorer, document_frequencies, train_lexical_scorer
from ml.lyrics import Vocabulary
from ml.songs import NUMBER_NAMES, Songs
from ml.themes import THEMES

_FREQUENT = 0.3
"""A word in more than this share of songs is frequent."""

_WORD_STATISTICS = (
    *(f"share_{language}" for language in COMMON_WORDS),
    "share_not_ascii",
    "share_rare",
    "mean_document_frequency",
    "mean_log_document_frequency",
    "share_frequent",
    "mean_word_length",
    *(f"share_{theme}" for theme in THEMES),
)

LYRIC_STATISTICS = ("tag_count", "log_tag_count", *_WORD_STATISTICS)
"""Number of known tags and its logarithm; share of them among the common words of six languages, with other
characters than ASCII's, in at most one song of the corpus, in over 30 % of them; mean share of the
corpus' songs that have the tag, mean log(1 + number of them); mean number of characters; share of tags
that belong to each theme. Tags that are not in the vocabulary do not count."""

TAG_COUNT = len(NUMBER_NAMES)
"""The column of the number of known tags."""


@dataclass(frozen=True)
class FeatureExtractor:
    """Makes features of songs.

    Attributes:
        vocabulary: the words of the corpus.
        frequencies: shape (words,), in how many songs of the corpus each word occurs.
        corpus_songs: the number of songs in the corpus.
        lexical: scores of lyrics; None where there was no lyrics corpus with genres.
    """

    vocabulary: Vocabulary
    frequencies: npt.NDArray[np.float64]
    corpus_songs: int
    lexical: LexicalScorer | None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the features, in the order of columns."""
        genres = () if self.lexical is None else self.lexical.genres
        return (*NUMBER_NAMES, *LYRIC_STATISTICS, *_lexical_names(genres))

    def transform(self, songs: Songs) -> npt.NDArray[np.float64]:
        """Return the features of songs, shape (n, features), float64, C-contiguous."""
        tags = self.vocabulary.encode(songs.tags)
        sums = tags @ self._word_attributes
        counts = np.diff(tags.indptr).astype(np.float64)
        divisors = np.maximum(counts, 1)
        statistics = len(_WORD_STATISTICS)
        parts = [
            songs.numbers,
            counts[:, None],
            np.array([math.log(count) for count in divisors.tolist()])[:, None],
            sums[:, :statistics] / divisors[:, None],
        ]
        if self.lexical is not None:
            parts.append(self.lexical.scores(sums[:, statistics:-1], sums[:, -1]))
        return np.ascontiguousarray(np.hstack(parts))

    @cached_property
    def _word_attributes(self) -> npt.NDArray[np.float64]:
        """What a song's sums add up for each known word: statistics, then lexical weights, squared idf."""
        statistics = _word_statistics(self.vocabulary.words, self.frequencies, self.corpus_songs)
        if self.lexical is None:
            return statistics
        return np.hstack([statistics, self.lexical.weights, self.lexical.squared_idf[:, None]])


def _lexical_names(genres: Sequence[str]) -> list[str]:
    """Return a name for each genre's score, different ones of letters that LightGBM takes in names."""
    names: list[str] = []
    for position, genre in enumerate(genres):
        name = "lyrics_" + re.sub(r"[^0-9a-z]+", "_", genre.lower())
        names.append(f"{name}_{position}" if name in names else name)
    return names


def fit_extractor(songs: Songs, lyrics: LyricsCorpus | None, *, seed: int) -> FeatureExtractor:
    """Make an extractor from a lyrics corpus, or, without one, from the words of the songs to train on.

    Genres of `songs` are not used. With a lyrics corpus nothing of `songs` is: then words are as new in
    training as in serving.
    """
    tags = songs.tags if lyrics is None else lyrics.tags
    vocabulary = Vocabulary.of(tags)
    return FeatureExtractor(
        vocabulary=vocabulary,
        frequencies=document_frequencies(vocabulary.encode(tags)),
        corpus_songs=len(tags),
        lexical=None if lyrics is None else train_lexical_scorer(lyrics, vocabulary, seed=seed),
    )


def _word_statistics(
    words: Sequence[str], frequencies: npt.NDArray[np.float64], songs: int
) -> npt.NDArray[np.float64]:
    """Return what each word adds to the sums behind `_WORD_STATISTICS`, shape (words, statistics)."""
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
