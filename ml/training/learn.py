"""Improve a model with verified songs.

The original training songs are not needed: see `ml.training.continuation`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from ml.errors import UserError
from ml.model.artifact import FOLDS, check_replaceable, encode_model
from ml.model.ensemble import Ensemble
from ml.model.manifest import Learned, Manifest
from ml.songs.contract import NUMBER_NAMES, BoolArray, Float32Array, Float64Array, IntArray, Songs
from ml.training.continuation import Start, continue_from
from ml.training.evaluation import fingerprints
from ml.training.folds import SONGS_PER_PSEUDO_ARTIST, pseudo_artists
from ml.training.parameters import Parameters
from ml.training.scores import score
from ml.training.train import Progress, write_model

MIN_SONGS = 10
MIN_SONGS_OF_NEW_GENRE = 5

STEPS = 4

_CLUSTERS_OF_GENRE = 4

_FOLDS = f"{FOLDS} folds, no group in two of them"

_UNKNOWN = 1e-6
"""Probability assumed for a genre unknown to the model, to avoid log(0)."""


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


def learn(
    ensemble: Ensemble, verified: VerifiedSongs, out: Path, *, progress: Progress = lambda *_: None
) -> LearningReport:
    """Continue training with verified songs, and write the model unless it is worse on them out of fold.

    Earlier learning is undone first, so that no song is learned twice and the comparison is fair. The same
    model and songs write the same bytes. Genres unknown to the model need at least five songs. `out` may be a
    model, which is replaced. `progress` is called before each step and after the last.

    Raises:
        UserError: there are too few songs, or the model would be worse.
        ArtifactError: `out` contains something other than a model.
        OSError: the artifact cannot be written.
    """
    check_replaceable(out)
    progress(0, STEPS, "read the songs")
    before = _start(ensemble)
    rows, left_out = _rows(verified.genres, before.genres)
    songs, names = verified.songs.take(rows), [verified.genres[row] for row in rows]
    features = ensemble.extractor.transform(songs)
    genres = tuple(sorted({*before.genres, *names}))
    labels = np.array([genres.index(name) for name in names], np.int64)
    progress(1, STEPS, "learn")
    with threadpool_limits(limits=1):  # the number of threads changes BLAS's order of summing
        groups = _groups(songs, labels, ensemble.medians)
        start = before.with_genres(genres, score=before.typical_score(features))
        continued = continue_from(start, features, labels, groups)
    progress(2, STEPS, "compare with the previous model")
    probabilities_before = _probabilities(before, features, genres)
    _check_no_worse(probabilities_before, continued.probabilities, labels, np.isin(genres, before.genres))
    split = f"{len(labels)} verified songs in {len(np.unique(groups))} groups of similar ones; "
    earlier = ensemble.manifest.learned
    learned = Learned(
        rows_per_genre=dict(sorted(Counter(names).items())),
        song_fingerprints=tuple(sorted(fingerprints(songs))),
        rounds=continued.rounds,
        base_version=earlier.base_version if earlier else ensemble.manifest.model_version,
        base_genres=before.genres,
        base_temperature=before.classifier.temperature,
        before=score(probabilities_before, labels, genres, groups, split=split + "the model before"),
        after=score(continued.probabilities, labels, genres, groups, split=split + _FOLDS),
    )
    progress(3, STEPS, "write the model")
    new = continued.classifier
    contents = encode_model(ensemble.extractor, new.boosters, ensemble.training_ranges, ensemble.medians)
    update = {"genres": genres, "temperature": new.temperature, "learned": learned}
    manifest = ensemble.manifest.model_copy(update=update | {"verified_until": verified.until})
    manifest = write_model(manifest, contents, out)
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
        raise UserError(
            f"{len(rows)} verified songs can be learned from, {MIN_SONGS} are needed. Verify more songs; a "
            f"genre that the model does not know counts from {MIN_SONGS_OF_NEW_GENRE} songs on."
        )
    if len(counts) - len(left_out) == 1:
        raise UserError(f"All verified songs are of {genres[rows[0]]!r}. Verify songs of other genres.")
    return rows, left_out


def _groups(songs: Songs, labels: IntArray, medians: Float32Array) -> IntArray:
    """Return the songs' pseudo-artists; the medians of the features replace missing numbers."""
    typical = np.nan_to_num(medians[: len(NUMBER_NAMES)])
    complete = replace(songs, numbers=np.where(np.isnan(songs.numbers), typical, songs.numbers))
    return pseudo_artists(complete, labels, size=group_size(labels))


def group_size(labels: IntArray) -> int:
    """Return the number of verified songs per pseudo-artist.

    Verified songs are a sample of a catalogue, so an artist has fewer of them: the number of clusters per
    genre is the one for which clusters were compared with artists.
    """
    size = round(len(labels) / (_CLUSTERS_OF_GENRE * len(np.unique(labels))))
    return int(np.clip(size, 1, SONGS_PER_PSEUDO_ARTIST))


def _probabilities(before: Start, features: Float32Array, genres: tuple[str, ...]) -> Float64Array:
    """Return the previous model's probabilities of all genres, almost 0 for those that it does not know."""
    probabilities = np.full((len(features), len(genres)), _UNKNOWN)
    probabilities[:, np.isin(genres, before.genres)] = before.classifier.probabilities(features)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return probabilities


def _check_no_worse(before: Float64Array, after: Float64Array, labels: IntArray, known: BoolArray) -> None:
    """Compare the probabilities of both models, shape (n, genres).

    Log-loss only covers songs of the genres that the previous model knows.

    Raises:
        UserError: accuracy falls, or the mean log-loss rises by more than its standard error.
    """
    both = before, after
    accuracy, accuracy_now = ((of.argmax(axis=1) == labels).mean() for of in both)
    rows = np.arange(len(labels))
    losses, losses_now = (
        np.where(known[labels], np.log(of[:, known].sum(axis=1) / of[rows, labels]), 0.0) for of in both
    )
    rises = losses_now - losses
    if accuracy_now < accuracy or rises.mean() > rises.std() / np.sqrt(len(rises)):
        raise UserError(
            f"Nothing was written: out of fold, the model would be worse on the {len(labels):,} verified "
            f"songs (accuracy {accuracy:.3f} before, {accuracy_now:.3f} after; log-loss "
            f"{losses.mean():.3f} before, {losses_now.mean():.3f} after). Verify more songs."
        )
