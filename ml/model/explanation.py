"""Explain predictions: feature contributions with readable descriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml.model.ensemble import Ensemble
from ml.model.features import COMMON_WORDS, LEXICAL_PREFIX, THEME_LABELS
from ml.songs.contract import METADATA_COLUMNS, Float64Array, Songs

_SHARE = "share_"
_LEXICAL_GENRES = {"rnb": "R&B"}
_KEYS = ("C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B")

_AUDIO_GROUPS: Mapping[str, tuple[int, str]] = {
    "timbre_means": (12, "average timbre"),
    "timbre_variances": (24, "variation of timbre"),
    "spectrum": (148, "spectrum, MFCC and chroma"),
}
"""Last `vect` column and label of each group; a group starts after the previous one."""

_DIRECTIONS: Mapping[str, tuple[str, str, str]] = {
    "loudness": ("loudness", "loud", "quiet"),
    "tempo": ("tempo", "fast", "slow"),
    "duration": ("duration", "long", "short"),
    "tag_count": ("number of words in the lyrics", "many words in the lyrics", "few words in the lyrics"),
    "mean_document_frequency": ("common words", "common words", "uncommon words"),
    "mean_log_document_frequency": ("well-known words", "well-known words", "little-known words"),
    "mean_word_length": ("length of words", "long words", "short words"),
}
"""Label, and descriptions of values above and below the training median."""

_WORDS: Mapping[str, str] = {
    "not_ascii": "words with accents or in other scripts",
    "rare": "rare words",
    "frequent": "very frequent words",
    **THEME_LABELS,
    **{language: f"{language.title()} words" for language in COMMON_WORDS},
}
"""Labels of shares of words, by feature name without `share_`."""


@dataclass(frozen=True, slots=True)
class FeatureContribution:
    """The contribution of a feature, or of a group of audio features, to a song's genre.

    Attributes:
        label: the readable name.
        value: the song's value; None if it is missing or this is a group.
        contribution: the effect on the genre's log-odds, relative to the mean of all genres.
        text: a description such as "few Spanish words: against pop".
    """

    feature: str
    label: str
    value: float | None
    contribution: float
    text: str


@dataclass(frozen=True, slots=True)
class Explanations:
    """Explanations of the genres of n songs by k features and groups.

    Attributes:
        values: shape (n, k), the songs' values; NaN if missing and for groups.
        medians: shape (k,), the training songs' medians.
        contributions: shape (n, k), to the log-odds of the songs' genres.
    """

    features: Sequence[str]
    genres: Sequence[str]
    values: Float64Array
    medians: Float64Array
    contributions: Float64Array

    def strongest(self, row: int, first: int) -> list[FeatureContribution]:
        """Return at most `first` contributions to a song's genre, for or against, strongest first."""
        order = np.argsort(-np.abs(self.contributions[row]), kind="stable")[:first]
        return [self._contribution(row, column) for column in order.tolist()]

    def _contribution(self, row: int, column: int) -> FeatureContribution:
        feature, value = self.features[column], float(self.values[row, column])
        contribution = float(self.contributions[row, column])
        side = "for" if contribution >= 0 else "against"
        return FeatureContribution(
            feature=feature,
            label=feature_label(feature),
            value=None if np.isnan(value) else value,
            contribution=contribution,
            text=f"{_in_words(feature, value, self.medians[column])}: {side} {self.genres[row]}",
        )


def explain(ensemble: Ensemble, songs: Songs, genres: Sequence[str]) -> Explanations:
    """Compute the contributions of each feature to the songs' genres, such as the predicted ones."""
    features = ensemble.extractor.transform(songs)
    columns = np.array([ensemble.genres.index(genre) for genre in genres], np.int64)
    contributions = ensemble.classifier.contributions(features, columns)[:, :-1]
    names, starts = _groups(ensemble.extractor.names)
    is_group = np.array([name in _AUDIO_GROUPS for name in names])
    return Explanations(
        features=names,
        genres=genres,
        values=np.where(is_group, np.nan, features[:, starts]),
        medians=ensemble.medians[starts].astype(np.float64),
        contributions=np.add.reduceat(contributions, starts, axis=1),
    )


def feature_label(name: str) -> str:
    """Return the readable name of a feature or feature group."""
    if name in _AUDIO_GROUPS:
        return _AUDIO_GROUPS[name][1]
    if name in _DIRECTIONS:
        return _DIRECTIONS[name][0]
    if name.startswith(_SHARE):
        return _WORDS.get(name.removeprefix(_SHARE), _spaced(name))
    if name.startswith(LEXICAL_PREFIX):
        genre = name.removeprefix(LEXICAL_PREFIX)
        return f"words typical of {_LEXICAL_GENRES.get(genre, _spaced(genre).title())} lyrics"
    return _spaced(name)


def _groups(names: Sequence[str]) -> tuple[list[str], list[int]]:
    """Return the names of single features and groups, and the first column of each."""
    first_audio = len(METADATA_COLUMNS)
    *begins, end = [first_audio, *(first_audio + last for last, _ in _AUDIO_GROUPS.values())]
    starts = [*range(first_audio), *begins, *range(end, len(names))]
    return [*names[:first_audio], *_AUDIO_GROUPS, *names[end:]], starts


def _in_words(feature: str, value: float, median: float) -> str:
    """Describe a value relative to the training songs."""
    label = feature_label(feature)
    if feature in _AUDIO_GROUPS:
        return label
    if np.isnan(value):
        return f"{label} unknown"
    if feature in {"key", "time_signature", "mode"}:
        known = {"key": f"key of {_KEYS[int(value)]}", "time_signature": f"{value:g} beats per bar"}
        return known.get(feature, "major" if value else "minor")
    if feature in _DIRECTIONS:
        _, above, below = _DIRECTIONS[feature]
        return above if value > median else below if value < median else f"average {label}"
    if feature.startswith(_SHARE):
        return f"{'no' if value == 0 else 'many' if value > median else 'few'} {label}"
    return f"{'many' if value > median else 'few'} {label}"


def _spaced(name: str) -> str:
    return name.replace("_", " ").strip()
