"""Evaluate a model on labelled songs that it was not trained on.

Scores on training songs are meaningless. These songs are recognized by their fingerprints in the manifest. If
the model was trained on all songs, the report has the out-of-fold scores of its training; if on some, those
songs are skipped.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ml.model.ensemble import Ensemble
from ml.model.scores import Scores
from ml.songs.contract import Songs
from ml.training.data import LabelledSongs, TrainingDataError, file_sha256, read_labelled_songs
from ml.training.evaluation import score_model
from ml.training.reports import GROUPED_FOLDS, RANDOM_FOLDS, EvaluationReport

_FINGERPRINT_LENGTH = 12
"""Hexadecimal digits; the chance of a collision among 10,000 songs is one in three million."""


def evaluate(ensemble: Ensemble, features: Path, labels: Path) -> EvaluationReport:
    """Score a model on the songs of a song file with the genres of a labels file.

    Raises:
        TrainingDataError: a file cannot be used, or does not match the model.
    """
    manifest, learned = ensemble.manifest, ensemble.manifest.learned
    data = read_labelled_songs(features, labels)
    trained_on = [*manifest.training_data.song_fingerprints, *(learned.song_fingerprints if learned else ())]
    known = np.isin(fingerprints(data.songs), trained_on)
    if not known.all():
        _check_genres(data, ensemble.genres, labels)
        name = f"held-out file {features.name}"
        splits = {name: _score(ensemble, data, np.flatnonzero(~known), name)}
    elif learned is None:
        metrics = manifest.metrics
        splits = {GROUPED_FOLDS: metrics.grouped_folds, RANDOM_FOLDS: metrics.random_folds}
    else:
        raise TrainingDataError(
            f"{features} has only songs that the model was trained on or learned from. Its card has their "
            "scores out of fold; evaluate it on other songs."
        )
    return EvaluationReport(
        model_version=manifest.model_version,
        model_manifest_sha256=manifest.manifest_sha256,
        features_file=features.name,
        features_sha256=file_sha256(features),
        labels_file=labels.name,
        labels_sha256=file_sha256(labels),
        out_of_fold=bool(known.all()),
        songs_left_out=0 if known.all() else int(known.sum()),
        splits=splits,
    )


def fingerprints(songs: Songs) -> tuple[str, ...]:
    """Return a hash of each song's numbers, to recognize it in another file."""
    rows = np.ascontiguousarray(songs.numbers + np.float32(0.0))  # turns -0.0 into 0.0
    return tuple(hashlib.sha256(row.tobytes()).hexdigest()[:_FINGERPRINT_LENGTH] for row in rows)


def _check_genres(data: LabelledSongs, genres: tuple[str, ...], labels: Path) -> None:
    unknown = Counter(genre for genre in data.genres if genre not in genres)
    if unknown:
        genre, count = unknown.most_common(1)[0]
        raise TrainingDataError(
            f"{labels} has {count} songs of {genre!r}, which the model does not know. It knows "
            f"{', '.join(genres)}: rename the genre or leave it out"
        )


def _score(ensemble: Ensemble, data: LabelledSongs, rows: npt.NDArray[np.intp], name: str) -> Scores:
    labels = np.array([ensemble.genres.index(data.genres[row]) for row in rows], np.int64)
    left_out = len(data.genres) - len(rows)
    return score_model(
        ensemble.classifier.probabilities,
        ensemble.extractor.transform(data.songs.take(rows)),
        ensemble.extractor.names,
        labels,
        ensemble.genres,
        data.groups[rows],
        split=f"{name}: {len(rows)} songs that the model was not trained on, though it may know their "
        f"artists; intervals over {len(np.unique(data.groups[rows]))} groups, each one {data.group_name}"
        + (f"; left out: {left_out} songs that it was trained on" if left_out else ""),
    )
