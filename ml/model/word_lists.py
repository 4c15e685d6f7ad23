"""The word lists in `word_lists.toml`, and the statistics of lyrics that count their words."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

_LISTS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))

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
