"""Render the model card from a manifest and the latest evaluation.

Headings follow Hugging Face's model cards (Mitchell et al., Model Cards for Model Reporting, FAT* 2019). All
numbers come from the manifest or the report, except those of other services and models, which the template
cites.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ml.model.artifact import FIGURES, REPORTS
from ml.model.manifest import Manifest
from ml.model.scores import Scores

if TYPE_CHECKING:
    from ml.training.reports import EvaluationReport

DEVELOPMENT_SONGS_SHA256 = "75273363f459c70a7cde612ad20aa6627dd105e39d88c3a5fdbcae51ec4b62b9"
"""Hash of the song file used to choose the recipe and to train the shipped model."""

_TEMPLATE = "card.md.j2"
_TOTALS = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "log_loss": "log-loss",
    "calibration_error": "calibration error",
}


def model_card(manifest: Manifest, report: EvaluationReport | None) -> str:
    """Return a model's card as Markdown.

    Args:
        manifest: the model's manifest.
        report: the latest evaluation, with figures in the folder `reports` next to the card. The card has no
            figures if it is None or of another model.
    """
    if report is not None and report.model_manifest_sha256 != manifest.manifest_sha256:
        report = None
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # nosec B701 - Markdown, not HTML
    )
    data = manifest.training_data
    held_out = None if report is None or report.out_of_fold else next(iter(report.splits.items()))
    return environment.get_template(_TEMPLATE).render(
        manifest=manifest,
        data=data,
        songs=sum(data.rows_per_genre.values()),
        shipped=data.files_sha256["features"] == DEVELOPMENT_SONGS_SHA256,
        grouped=manifest.metrics.grouped_folds,
        random=manifest.metrics.random_folds,
        large_groups=manifest.metrics.large_groups,
        missing=manifest.metrics.missing,
        held_out=held_out,
        report=report,
        figures=[f"{REPORTS}/{name}" for name in FIGURES],
        totals=_TOTALS,
        confusions=_confusions(manifest.metrics.grouped_folds),
        command=_command(manifest),
    )


def _command(manifest: Manifest) -> str:
    names = {"lyrics": "lyrics_genre.csv", "further": "msd_subset.csv"}
    options = [f" --{name} {file}" for name, file in names.items() if name in manifest.training_data.rows]
    return f"genregraph train --features features.csv --labels labels.csv{''.join(options)} --out model"


def _confusions(scores: Scores) -> list[tuple[int, str, str]]:
    """Return the three most frequent mistakes: count, true genre, predicted genre."""
    genres = list(scores.per_genre)
    mistakes = [
        (count, genres[row], genres[column])
        for row, counts in enumerate(scores.confusion)
        for column, count in enumerate(counts)
        if row != column and count
    ]
    return sorted(mistakes, key=lambda mistake: (-mistake[0], *mistake[1:]))[:3]
