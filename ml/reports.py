"""The reports folder of a model: its scores as JSON, and figures of them.

    metrics.json            an `EvaluationReport`
    confusion_matrix.png    the figures, drawn by `ml.figures` from the numbers in metrics.json alone
    reliability.png
    per_genre_recall.png
    feature_importance.png

None of these files names a time, so that the same evaluation writes the same bytes.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ml.evaluation import ReliabilityBin, Scores

REPORTS = "reports"
METRICS = "metrics.json"
CONFUSION_MATRIX = "confusion_matrix.png"
RELIABILITY = "reliability.png"
PER_GENRE_RECALL = "per_genre_recall.png"
FEATURE_IMPORTANCE = "feature_importance.png"
REPORT_FILES = frozenset({METRICS, CONFUSION_MATRIX, RELIABILITY, PER_GENRE_RECALL, FEATURE_IMPORTANCE})

RANDOM_FOLDS = "random folds"
GROUPED_FOLDS = "artist-grouped folds"


class SplitReport(BaseModel):
    """Scores of one split, and what figures need beyond them.

    Attributes:
        scores: of its songs.
        reliability: confidence and share of right answers, in 10 bins of confidence.
        feature_importance: by group of features, the rise of the log-loss when the values of the group
            are shuffled among the scored songs (see `ml.importance`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scores: Scores
    reliability: tuple[ReliabilityBin, ...]
    feature_importance: dict[str, float]


class EvaluationReport(BaseModel):
    """How well a model does on labelled songs.

    Attributes:
        model_version: of the model.
        model_manifest_sha256: of the model.
        features_file: name of the song file, without its folder.
        features_sha256: its hash.
        labels_file: name of the file of genres, without its folder.
        labels_sha256: its hash.
        lyrics_file: name of the lyrics file, None where none was needed.
        lyrics_sha256: its hash.
        out_of_fold: whether these are songs that the model was trained on, so that its recipe was
            trained anew without each song to score it; else the model itself predicted them.
        songs_left_out: labelled songs that the model was trained on and that were not scored.
        splits: by name of the split: random folds and artist-grouped folds, or one held-out file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model_version: str
    model_manifest_sha256: str
    features_file: str
    features_sha256: str
    labels_file: str
    labels_sha256: str
    lyrics_file: str | None
    lyrics_sha256: str | None
    out_of_fold: bool
    songs_left_out: int
    splits: dict[str, SplitReport]

    @property
    def command(self) -> str:
        """The command that makes this report, with the names of its files."""
        files = {"--features": self.features_file, "--labels": self.labels_file, "--lyrics": self.lyrics_file}
        options = [f"{option} {shlex.quote(name)}" for option, name in files.items() if name is not None]
        return f"genregraph evaluate {' '.join(options)} --model model"


def write_reports(report: EvaluationReport, figures: Mapping[str, bytes], folder: Path) -> None:
    """Write metrics and figures into a folder, which is made where it is missing.

    Args:
        report: the metrics.
        figures: contents of PNG files by name.
        folder: files of other names in it stay.

    Raises:
        OSError: they cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in figures.items():
        (folder / name).write_bytes(content)
    text = json.dumps(report.model_dump(mode="json"), ensure_ascii=False, indent=2)
    (folder / METRICS).write_text(text + "\n", encoding="utf-8")


def read_report(folder: Path) -> EvaluationReport | None:
    """Return the metrics in a reports folder; None where there are none that this program can read."""
    try:
        return EvaluationReport.model_validate_json((folder / METRICS).read_bytes())
    except (OSError, ValidationError):
        return None
