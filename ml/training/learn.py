"""Improve a model with verified songs.

The original training songs are not needed: see `ml.training.continuation`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from ml.errors import UserError
from ml.model.artifact import FOLDS, check_replaceable, encode_model
from ml.model.ensemble import Ensemble
from ml.model.manifest import Learned, Manifest
from ml.model.scores import Scores
from ml.songs.contract import NUMBER_NAMES, Songs
from ml.training.continuation import Continued, Start, continue_from
from ml.training.evaluate import fingerprints
from ml.training.evaluation import score
from ml.training.folds import SONGS_PER_PSEUDO_ARTIST, pseudo_artists
from ml.training.parameters import Parameters
from ml.training.train import Progress, write_model

MIN_SONGS = 10
MIN_SONGS_OF_NEW_GENRE = 5

STEPS = FOLDS + 3

_CLUSTERS_OF_GENRE = 4

_UNKNOWN = 1e-6
"""Probability assumed for a genre unknown to the model, to avoid log(0)."""


class LearningError(UserError):
    """The model was not written; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class VerifiedSongs:
    """Songs with the genres that people verified, until the time of the latest verification."""

    songs: Songs
    genres: tuple[str, ...]
    until: datetime


@dataclass(frozen=True, slots=True)
class LearningReport:
    """The new model's manifest, and the number of skipped songs by genre: new genres with too few."""

    manifest: Manifest
    learned: Learned
    left_out: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Lesson:
    """Verified songs as arrays, and the model to continue from."""

    start: Start
    features: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    groups: npt.NDArray[np.int64]


def learn(
    ensemble: Ensemble,
    verified: VerifiedSongs,
    out: Path,
    *,
    progress: Progress = lambda _done, _total, _what: None,
) -> LearningReport:
    """Continue training with verified songs, and write the model unless it is worse on them out of fold.

    Earlier learning is undone first, so that no song is learned twice and the comparison is fair. The same
    model and songs write the same bytes.

    Args:
        ensemble: the model to continue from.
        verified: the songs; genres unknown to the model need at least five.
        out: the artifact's folder; an existing model is replaced.
        progress: called before each step and after the last.

    Raises:
        LearningError: there are too few songs, or the model would be worse.
        ArtifactError: `out` contains something other than a model.
        OSError: the artifact cannot be written.
    """
    check_replaceable(out)
    progress(0, STEPS, "read the songs")
    before = _start(ensemble)
    rows, left_out = _rows(verified.genres, before.genres)
    songs, genres = verified.songs.take(rows), [verified.genres[row] for row in rows]
    with threadpool_limits(limits=1):  # the number of threads changes BLAS's order of summing
        lesson = _lesson(ensemble, before, songs, genres)
        continued = continue_from(
            lesson.start,
            lesson.features,
            lesson.labels,
            lesson.groups,
            before_fold=lambda fold: progress(1 + fold, STEPS, f"score fold {fold + 1}"),
        )
    progress(FOLDS + 1, STEPS, "compare with the model before")
    learned = _compare(ensemble.manifest, before, lesson, continued, songs)
    progress(FOLDS + 2, STEPS, "write the model")
    update = {
        "genres": lesson.start.genres,
        "temperature": continued.classifier.temperature,
        "verified_until": verified.until,
        "learned": learned,
    }
    boosters = continued.classifier.boosters
    contents = encode_model(ensemble.extractor, boosters, ensemble.training_ranges, ensemble.medians)
    manifest = write_model(ensemble.manifest.model_copy(update=update), contents, out)
    progress(STEPS, STEPS, "done")
    return LearningReport(manifest, learned, left_out)


def _start(ensemble: Ensemble) -> Start:
    """Return the model without what it learned from verified songs."""
    manifest, learned = ensemble.manifest, ensemble.manifest.learned
    parameters = Parameters.model_validate(manifest.parameters)
    if learned is None:
        return Start(ensemble.classifier, manifest.genres, parameters, manifest.features)
    classifier = replace(ensemble.classifier, temperature=learned.base_temperature)
    return Start(classifier, manifest.genres, parameters, manifest.features).with_genres(learned.base_genres)


def _rows(genres: tuple[str, ...], known: tuple[str, ...]) -> tuple[list[int], dict[str, int]]:
    """Return the indices of songs to learn from, and the number of others by genre."""
    counts = sorted(Counter(genres).items())
    left_out = {genre: n for genre, n in counts if genre not in known and n < MIN_SONGS_OF_NEW_GENRE}
    rows = [row for row, genre in enumerate(genres) if genre not in left_out]
    if len(rows) < MIN_SONGS:
        raise LearningError(
            f"{len(rows)} verified songs can be learned from, {MIN_SONGS} are needed. Verify more songs; a "
            f"genre that the model does not know counts from {MIN_SONGS_OF_NEW_GENRE} songs on."
        )
    if len(counts) - len(left_out) == 1:
        raise LearningError(f"All verified songs are of {genres[rows[0]]!r}. Verify songs of other genres.")
    return rows, left_out


def _lesson(ensemble: Ensemble, before: Start, songs: Songs, names: list[str]) -> _Lesson:
    features = ensemble.extractor.transform(songs)
    genres = tuple(sorted({*before.genres, *names}))
    labels = np.array([genres.index(name) for name in names], np.int64)
    medians = np.nan_to_num(ensemble.medians[: len(NUMBER_NAMES)])
    complete = replace(songs, numbers=np.where(np.isnan(songs.numbers), medians, songs.numbers))
    return _Lesson(
        start=before.with_genres(genres, score=before.typical_score(features)),
        features=features,
        labels=labels,
        groups=pseudo_artists(complete, labels, size=group_size(labels)),
    )


def group_size(labels: npt.NDArray[np.int64]) -> int:
    """Return the number of verified songs per pseudo-artist.

    Verified songs are a sample of a catalogue, so an artist has fewer of them: the number of clusters per
    genre is the one for which clusters were compared with artists.
    """
    size = round(len(labels) / (_CLUSTERS_OF_GENRE * len(np.unique(labels))))
    return int(np.clip(size, 1, SONGS_PER_PSEUDO_ARTIST))


def _compare(
    manifest: Manifest, before: Start, lesson: _Lesson, continued: Continued, songs: Songs
) -> Learned:
    """Score both models on the verified songs.

    The previous model does not know new genres, so log-loss only covers songs of known genres.

    Raises:
        LearningError: accuracy falls, or the mean log-loss rises by more than its standard error.
    """
    genres, labels = lesson.start.genres, lesson.labels
    of_before = np.isin(genres, before.genres)
    old = np.full((len(labels), len(genres)), _UNKNOWN)
    old[:, of_before] = before.classifier.probabilities(lesson.features)
    old /= old.sum(axis=1, keepdims=True)
    was = _scores(old, lesson, "the model before")
    now = _scores(continued.probabilities, lesson, f"{FOLDS} folds, no group in two of them")
    losses = _losses(old, labels, of_before)
    losses_now = _losses(continued.probabilities, labels, of_before)
    rises = losses_now - losses
    standard_error = rises.std() / np.sqrt(len(rises))
    if now.accuracy < was.accuracy or rises.mean() > standard_error:
        raise LearningError(
            f"Nothing was written: out of fold, the model would be worse on the {len(labels):,} verified "
            f"songs (accuracy {was.accuracy:.3f} before, {now.accuracy:.3f} after; log-loss "
            f"{losses.mean():.3f} before, {losses_now.mean():.3f} after). Verify more songs."
        )
    earlier = manifest.learned
    return Learned(
        rows_per_genre=dict(sorted(Counter(genres[label] for label in labels).items())),
        song_fingerprints=tuple(sorted(fingerprints(songs))),
        rounds=continued.rounds,
        base_version=manifest.model_version if earlier is None else earlier.base_version,
        base_genres=before.genres,
        base_temperature=before.classifier.temperature,
        before=was,
        after=now,
    )


def _losses(
    probabilities: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], known: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Return each song's log-loss over the known genres, 0 for songs of others."""
    own = probabilities[np.arange(len(labels)), labels]
    return np.where(known[labels], np.log(probabilities[:, known].sum(axis=1) / own), 0.0)


def _scores(probabilities: npt.NDArray[np.float64], lesson: _Lesson, how: str) -> Scores:
    groups = len(np.unique(lesson.groups))
    split = f"{len(lesson.labels)} verified songs in {groups} groups of similar ones; {how}"
    return score(probabilities, lesson.labels, lesson.start.genres, lesson.groups, split=split)
