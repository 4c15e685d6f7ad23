"""Render a model's card, and write its reports folder: scores as JSON, and figures.

There are no timestamps, so the same evaluation writes the same bytes. The card's headings follow Hugging
Face's model cards (Mitchell et al., Model Cards for Model Reporting, FAT* 2019). All of its numbers come from
the manifest or the report, except those of other services and models, which the template cites.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ml.model.artifact import FIGURES, METRICS, MODEL_CARD, REPORTS, read_manifest
from ml.model.manifest import Frozen, Manifest, Scores

GROUPED_FOLDS = "artist-grouped folds"
RANDOM_FOLDS = "random folds"


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


DEVELOPMENT_SONGS_SHA256 = "75273363f459c70a7cde612ad20aa6627dd105e39d88c3a5fdbcae51ec4b62b9"
"""Hash of the song file used to choose the recipe and to train the shipped model."""


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
