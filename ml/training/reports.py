"""Read and write a model's reports folder: scores as JSON, and figures.

There are no timestamps, so the same evaluation writes the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ml.model.artifact import METRICS, MODEL_CARD, REPORTS, read_manifest
from ml.model.scores import Scores
from ml.training.card import model_card

GROUPED_FOLDS = "artist-grouped folds"
RANDOM_FOLDS = "random folds"


class EvaluationReport(BaseModel):
    """The evaluation of a model on labelled songs.

    Attributes:
        model_version: the model's version.
        model_manifest_sha256: the hash of the model's manifest.
        features_file: name of the song file, without its folder.
        features_sha256: its hash.
        labels_file: name of the file of genres, without its folder.
        labels_sha256: its hash.
        out_of_fold: whether the model was trained on these songs, so that the scores are the out-of-fold
            scores of its training; otherwise the model itself predicted them.
        songs_left_out: number of songs not scored because the model was trained on them.
        splits: by name: artist-grouped and random folds, or one held-out file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

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
    """Write metrics and figures to a folder and, if that is the model's own, update its card.

    Args:
        report: the metrics.
        figures: contents of PNG files by name.
        model: folder of the model.
        folder: the reports folder, created if needed; other files in it are kept.

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
        card = model_card(read_manifest(model), read_report(folder))
        (model / MODEL_CARD).write_text(card, encoding="utf-8")


def read_report(folder: Path) -> EvaluationReport | None:
    """Return the metrics in a reports folder; None if missing or not readable."""
    try:
        return EvaluationReport.model_validate_json((folder / METRICS).read_bytes())
    except (OSError, ValidationError):
        return None
