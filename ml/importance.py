"""Which groups of features a classifier needs: permutation importance (Breiman, Random Forests, 2001).

The values of a group's features are shuffled among songs, all features of the group alike, so that they
belong to other songs; the more the log-loss rises, the more the classifier needs the group. Groups and not
single features, because 148 audio statistics say much the same: each alone could be missed. Songs are those
that the classifier was not trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ml.evaluation import log_loss
from ml.examples import Examples
from ml.languages import COMMON_WORDS
from ml.songs import METADATA_COLUMNS, NUMBER_NAMES
from ml.themes import THEMES

_REPEATS = 5

AUDIO = "audio statistics"
METADATA = "loudness, tempo, key …"
LANGUAGES = "lyric languages"
THEMES_OF_LYRICS = "lyric themes"
LEXICAL_SCORES = "lexical genre scores"
OTHERS = "other lyric statistics"

_METADATA_NAMES = frozenset(column.name for column in METADATA_COLUMNS)
_LANGUAGE_NAMES = frozenset({"share_not_ascii", *(f"share_{language}" for language in COMMON_WORDS)})
_THEME_NAMES = frozenset(f"share_{theme}" for theme in THEMES)


class Predictor(Protocol):
    """What makes probabilities of features, such as a `ml.classifier.Classifier`."""

    def probabilities(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return probabilities of genres, shape (n, genres), rows sum to 1."""


def feature_group(name: str) -> str:
    """Return the name of the group that a feature belongs to."""
    if name in _METADATA_NAMES:
        return METADATA
    if name in NUMBER_NAMES:
        return AUDIO
    if name in _LANGUAGE_NAMES:
        return LANGUAGES
    if name in _THEME_NAMES:
        return THEMES_OF_LYRICS
    return LEXICAL_SCORES if name.startswith("lyrics_") else OTHERS


def permutation_importance(
    scored: Sequence[tuple[Predictor, Examples]], *, seed: int = 0
) -> dict[str, float]:
    """Return by how much the log-loss rises when a group of features is shuffled, by group.

    Args:
        scored: classifiers, each with songs that it was not trained on; all have the same features.
        seed: of the shuffles; the mean of five counts.

    Returns:
        The greatest rise first, in nats a song.
    """
    names = scored[0][1].names
    columns: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        columns.setdefault(feature_group(name), []).append(position)
    random = np.random.default_rng(seed)
    songs = sum(len(examples) for _, examples in scored)
    rises = dict.fromkeys(columns, 0.0)
    for classifier, examples in scored:
        before = _log_loss(classifier, examples, examples.features)
        for group, positions in columns.items():
            for _ in range(_REPEATS):
                shuffled = examples.features.copy()
                order = random.permutation(len(examples))
                shuffled[:, positions] = examples.features[order][:, positions]
                rise = _log_loss(classifier, examples, shuffled) - before
                rises[group] += rise * len(examples) / (songs * _REPEATS)
    return {group: round(rise, 6) for group, rise in sorted(rises.items(), key=lambda item: -item[1])}


def _log_loss(classifier: Predictor, examples: Examples, features: npt.NDArray[np.float64]) -> float:
    return log_loss(classifier.probabilities(features), examples.labels)
