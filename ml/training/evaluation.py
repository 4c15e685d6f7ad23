"""Evaluate a model on labelled songs, and write its reports: scores as JSON, figures, and the model card.

Scores on training songs are meaningless. These are recognized by their fingerprints in the manifest. If a
model was trained on all songs, the report has the out-of-fold scores of its training; if on some, those songs
are skipped.

Reports have no timestamps, so the same evaluation writes the same bytes. The card's headings follow Hugging
Face's model cards (Mitchell et al., Model Cards for Model Reporting, FAT* 2019). All of its numbers come from
the manifest or the report, except those of other services and models, which the template cites.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ml.model.artifact import FIGURES, METRICS, MODEL_CARD, REPORTS, read_manifest
from ml.model.ensemble import Ensemble
from ml.model.manifest import Frozen, Manifest, Scores
from ml.songs.contract import Songs
from ml.training.data import LabelledSongs, TrainingDataError, file_sha256, read_labelled_songs
from ml.training.scores import score_model

_FINGERPRINT_LENGTH = 12
"""Hexadecimal digits; the chance of a collision among 10,000 songs is one in three million."""

DEVELOPMENT_SONGS_SHA256 = "75273363f459c70a7cde612ad20aa6627dd105e39d88c3a5fdbcae51ec4b62b9"
"""Hash of the song file used to choose the recipe and to train the shipped model."""


class EvaluationReport(Frozen):
    """The evaluation of a model on labelled songs; files are named without their folder.

    Attributes:
        out_of_fold: whether the model was trained on these songs, so that the scores are the out-of-fold
            scores of its training; otherwise the model itself predicted them.
        songs_left_out: number of songs not scored because the model was trained on them.
        splits: by name: artist-grouped and random folds, or one held-out file.
    """

    model_version: str
    model_manifest_sha256: str
    features_file: str
    features_sha256: str
    labels_file: str
    labels_sha256: str
    out_of_fold: bool
    songs_left_out: int
    splits: dict[str, Scores]


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
        splits = {name: _score_songs(ensemble, data, np.flatnonzero(~known), name)}
    elif learned is None:
        metrics = manifest.metrics
        splits = {"artist-grouped folds": metrics.grouped_folds, "random folds": metrics.random_folds}
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


def _score_songs(ensemble: Ensemble, data: LabelledSongs, rows: npt.NDArray[np.intp], name: str) -> Scores:
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


def write_reports(report: EvaluationReport, figures: Mapping[str, bytes], model: Path, folder: Path) -> None:
    """Write metrics and figures (PNG, by name) to a folder and, if it is the model's own, update its card.

    Raises:
        ArtifactError: the model cannot be read.
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in figures.items():
        (folder / name).write_bytes(content)
    text = json.dumps(report.model_dump(mode="json"), ensure_ascii=False, indent=2)
    (folder / METRICS).write_text(text + "\n", encoding="utf-8")
    if folder.resolve() == (model / REPORTS).resolve():
        card = model_card(read_manifest(model), report)
        (model / MODEL_CARD).write_text(card, encoding="utf-8")


def model_card(manifest: Manifest, report: EvaluationReport | None) -> str:
    """Return a model's card as Markdown, with a report of this model and its figures if there is one."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # nosec B701 - Markdown, not HTML
    )
    held_out = None if report is None or report.out_of_fold else next(iter(report.splits.items()))
    return environment.get_template("card.md.j2").render(
        manifest=manifest,
        shipped=manifest.training_data.files_sha256["features"] == DEVELOPMENT_SONGS_SHA256,
        held_out=held_out,
        report=report,
        figures=[f"{REPORTS}/{name}" for name in FIGURES],
        confusions=_confusions(manifest.metrics.grouped_folds),
    )


def _confusions(scores: Scores) -> list[tuple[int, str, str]]:
    """Return the three most frequent mistakes: count, true genre, predicted genre."""
    genres, mistakes = list(scores.per_genre), np.array(scores.confusion)
    np.fill_diagonal(mistakes, 0)
    most_first = np.argsort(-mistakes, axis=None, kind="stable")[:3]
    places = zip(*np.unravel_index(most_first, mistakes.shape), strict=True)
    return [
        (count, genres[row], genres[column]) for row, column in places if (count := mistakes[row, column])
    ]
