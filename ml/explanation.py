"""Why a song got its genre: the features that spoke for it, under names that people can read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.ensemble import Ensemble
from ml.languages import COMMON_WORDS
from ml.songs import AUDIO_FEATURE_COUNT, Songs

_AUDIO = "vect_"
_LEXICAL = "lyrics_"
_SHARE = "share_"

LABELS: dict[str, str] = {
    "loudness": "loudness",
    "tempo": "tempo",
    "time_signature": "time signature",
    "key": "key",
    "mode": "mode (major or minor)",
    "duration": "duration",
    **{f"{_AUDIO}{n}": f"audio feature {n} ({_AUDIO}{n})" for n in range(1, AUDIO_FEATURE_COUNT + 1)},
    "tag_count": "lyrics: number of words",
    "log_tag_count": "lyrics: number of words (logarithm)",
    **{f"{_SHARE}{language}": f"lyrics: {language.title()} share" for language in COMMON_WORDS},
    "share_not_ascii": "lyrics: share with accents or other scripts",
    "share_rare": "lyrics: rare words",
    "share_frequent": "lyrics: frequent words",
    "mean_document_frequency": "lyrics: how common the words are",
    "mean_log_document_frequency": "lyrics: how common the words are (logarithm)",
    "mean_word_length": "lyrics: length of words",
    "share_love": "lyrics: words of love",
    "share_interjections": "lyrics: oh, yeah and the like",
    "share_death": "lyrics: words of death and darkness",
    "share_swearing": "lyrics: swear words",
    "share_party": "lyrics: words of dance and party",
    "share_tales": "lyrics: words of tales and landscapes",
    "share_religion": "lyrics: words of religion",
    "share_patois": "lyrics: Jamaican Patois share",
    "share_first_person": "lyrics: I and me",
    "share_second_person": "lyrics: you",
    "share_third_person": "lyrics: he, she and they",
    "share_we": "lyrics: we and us",
    "share_protest": "lyrics: words of protest",
    "share_slang": "lyrics: slang",
}
"""Readable names of the features whose names do not depend on what the model was trained on."""

_LEXICAL_GENRES = {"rnb": "R&B"}


@dataclass(frozen=True, slots=True)
class FeatureContribution:
    """What one feature of a song had to say for its genre.

    Attributes:
        feature: the feature's name in the model.
        label: its name for people.
        value: the song's value of it.
        contribution: what it adds to the log-odds of the genre, less what it adds to the mean genre's.
    """

    feature: str
    label: str
    value: float
    contribution: float


@dataclass(frozen=True, slots=True)
class Explanations:
    """Why each of n songs got its genre.

    Attributes:
        names: the features.
        values: shape (n, features), the songs' values.
        contributions: shape (n, features), to the log-odds of the songs' genres.
    """

    names: Sequence[str]
    values: npt.NDArray[np.float64]
    contributions: npt.NDArray[np.float64]

    def strongest(self, row: int, first: int) -> list[FeatureContribution]:
        """Return the features that spoke most for a song's genre, strongest first, `first` at most."""
        order = np.argsort(-self.contributions[row], kind="stable")[:first]
        return [
            FeatureContribution(
                feature=self.names[column],
                label=feature_label(self.names[column]),
                value=float(self.values[row, column]),
                contribution=float(self.contributions[row, column]),
            )
            for column in order.tolist()
        ]


def explain(ensemble: Ensemble, songs: Songs, genres: Sequence[str]) -> Explanations:
    """Work out what each feature of songs adds to the log-odds of their genres.

    Args:
        ensemble: the model that gave the genres.
        songs: n songs, 1 or more.
        genres: n genres of the model, such as those that it predicted.

    Raises:
        ValueError: the model does not know a genre.
    """
    unknown = sorted(set(genres) - set(ensemble.genres))
    if unknown:
        raise ValueError(f"the model does not know the genre {unknown[0]!r}")
    features = ensemble.extractor.transform(songs)
    columns = np.array([ensemble.genres.index(genre) for genre in genres], np.int64)
    contributions = ensemble.classifier.contributions(features, columns)
    return Explanations(ensemble.extractor.names, features, contributions.features)


def feature_label(name: str) -> str:
    """Return a feature's name for people; one that is unknown here is made out of its name."""
    if name in LABELS:
        return LABELS[name]
    if name.startswith(_LEXICAL):
        genre = name.removeprefix(_LEXICAL)
        return f"lyrics: {_LEXICAL_GENRES.get(genre, _spaced(genre).capitalize())} words"
    if name.startswith(_SHARE):
        return f"lyrics: {_spaced(name.removeprefix(_SHARE))} share"
    return _spaced(name)


def _spaced(name: str) -> str:
    return name.replace("_", " ").strip()
