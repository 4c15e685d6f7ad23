"""How well a model does on labelled songs: its own predictions, or its recipe's where it knows the songs.

A model scored on songs that it was trained on says nothing. Songs are known again by their fingerprints in
the manifest. Where all of them were trained on, the recipe is trained anew with the model's parameters, in
random and in artist-grouped folds, and each song is scored by a classifier that did not see it. Where some
were, these are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from ml.cross_validation import FOLDS
from ml.ensemble import Ensemble
from ml.evaluation import reliability, score
from ml.examples import Examples
from ml.importance import Predictor, permutation_importance
from ml.labels import TrainingDataError, read_lyrics
from ml.manifest import Manifest
from ml.recipe import OutOfFold, predict_grouped, predict_random
from ml.reports import GROUPED_FOLDS, RANDOM_FOLDS, EvaluationReport, SplitReport
from ml.training import file_sha256, make_examples
from ml.training_data import NamedSongs, fingerprints, read_labelled_songs, read_named_songs

Progress = Callable[[int, int, str], None]
"""Called with the number of steps done, of all steps, and what is done next."""


def assess(
    ensemble: Ensemble,
    features: Path,
    labels: Path,
    lyrics: Path | None,
    *,
    progress: Progress = lambda _done, _total, _what: None,
) -> EvaluationReport:
    """Score a model on labelled songs.

    Args:
        ensemble: the model.
        features: CSV of songs, with the 157 columns.
        labels: CSV with trackID and genre, and artist if there is one.
        lyrics: the CSV of lyrics that the model was trained with, needed only for its own training songs.
        progress: called before each step and after the last.

    Raises:
        TrainingDataError: a file cannot be used, or does not fit the model.
    """
    manifest = ensemble.manifest
    progress(0, 1, "read the songs")
    named = read_named_songs(features, labels)
    known = _trained_on(manifest, named, features)
    out_of_fold = bool(known.all())
    with threadpool_limits(limits=1):  # as in training, for the same bits
        if out_of_fold:
            splits = _assess_recipe(manifest, features, labels, lyrics, progress)
        else:
            splits = {
                f"held-out file {features.name}": _assess_model(ensemble, named, known, features, labels)
            }
    return EvaluationReport(
        model_version=manifest.model_version,
        model_manifest_sha256=manifest.manifest_sha256,
        features_file=features.name,
        features_sha256=file_sha256(features),
        labels_file=labels.name,
        labels_sha256=file_sha256(labels),
        lyrics_file=lyrics.name if lyrics and out_of_fold else None,
        lyrics_sha256=file_sha256(lyrics) if lyrics and out_of_fold else None,
        out_of_fold=out_of_fold,
        songs_left_out=0 if out_of_fold else int(known.sum()),
        splits=splits,
    )


def _trained_on(manifest: Manifest, named: NamedSongs, features: Path) -> npt.NDArray[np.bool_]:
    """Return which songs the model was trained on, shape (n,)."""
    data = manifest.training_data
    if file_sha256(features) == data.features_sha256:
        return np.ones(len(named.songs), np.bool_)
    trained_on = frozenset(data.song_fingerprints)
    return np.array([fingerprint in trained_on for fingerprint in fingerprints(named.songs)], np.bool_)


def _assess_recipe(
    manifest: Manifest, features: Path, labels: Path, lyrics: Path | None, progress: Progress
) -> dict[str, SplitReport]:
    """Score the recipe out of fold, with the model's parameters."""
    _check_lyrics(manifest, lyrics)
    steps = 2 * FOLDS + 3
    data = read_labelled_songs(features, labels)
    progress(1, steps, "learn the words")
    corpus = None if lyrics is None else read_lyrics(lyrics)
    _, examples = make_examples(data, corpus, manifest.parameters)
    grouped = predict_grouped(
        examples,
        data.groups,
        manifest.parameters,
        group_name=data.group_name,
        before_fold=lambda fold: progress(2 + fold, steps, f"score grouped fold {fold + 1}"),
    )
    random = predict_random(
        examples,
        manifest.parameters,
        temperature=grouped.temperature,
        before_fold=lambda fold: progress(2 + FOLDS + fold, steps, f"score random fold {fold + 1}"),
    )
    progress(steps - 1, steps, "shuffle features")
    report = partial(_report_out_of_fold, examples=examples, genres=data.genres)
    splits = {RANDOM_FOLDS: report(random), GROUPED_FOLDS: report(grouped)}
    progress(steps, steps, "done")
    return splits


def _check_lyrics(manifest: Manifest, lyrics: Path | None) -> None:
    expected = manifest.training_data.lyrics_sha256
    why = "the model was trained on these songs, so its recipe is trained anew to score them, and"
    if expected is None and lyrics is not None:
        raise TrainingDataError(f"{why} this model was trained without lyrics: leave --lyrics out")
    if expected is not None and lyrics is None:
        raise TrainingDataError(f"{why} that needs the lyrics file of the training: give it as --lyrics")
    if lyrics is not None and file_sha256(lyrics) != expected:
        raise TrainingDataError(
            f"{why} {lyrics} is not the lyrics file of the training (SHA-256 {expected}): give that one"
        )


def _report_out_of_fold(predicted: OutOfFold, *, examples: Examples, genres: Sequence[str]) -> SplitReport:
    scored = [
        (classifier, examples.take(rows))
        for classifier, (_, rows) in zip(predicted.classifiers, predicted.folds, strict=True)
    ]
    return _split_report(predicted.probabilities, examples.labels, genres, predicted.split, scored)


def _assess_model(
    ensemble: Ensemble, named: NamedSongs, known: npt.NDArray[np.bool_], features: Path, labels: Path
) -> SplitReport:
    """Score the model itself on songs that it was not trained on."""
    genres = ensemble.genres
    unknown = Counter(genre for genre in named.genres if genre not in genres)
    if unknown:
        genre, count = unknown.most_common(1)[0]
        raise TrainingDataError(
            f"{labels} has {count} songs of {genre!r}, a genre that the model does not know; it knows "
            f"{', '.join(genres)}: rename the genre or leave it out"
        )
    rows = np.flatnonzero(~known)
    songs = named.songs.take(rows)
    examples = Examples(
        ensemble.extractor.transform(songs),
        np.array([genres.index(named.genres[row]) for row in rows], np.int64),
        ensemble.extractor.names,
        len(genres),
    )
    left_out = f"; left out: {known.sum()} songs that it was trained on" if known.any() else ""
    return _split_report(
        ensemble.predict(songs),
        examples.labels,
        genres,
        f"held-out file {features.name}: {len(rows)} songs that the model was not trained on, though it may "
        f"know their artists{left_out}",
        [(ensemble.classifier, examples)],
    )


def _split_report(
    probabilities: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    genres: Sequence[str],
    split: str,
    scored: Sequence[tuple[Predictor, Examples]],
) -> SplitReport:
    return SplitReport(
        scores=score(probabilities, labels, genres, split=split),
        reliability=reliability(probabilities, labels),
        feature_importance=permutation_importance(scored),
    )
