"""Printing and writing the scores of a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.cli.failure import fail
from app.cli.shown import shown
from ml.model.scores import Scores
from ml.training.figures import draw_figures
from ml.training.reports import EvaluationReport, write_reports

_TOTALS = {
    "accuracy": "accuracy",
    "macro-F1": "macro_f1",
    "log-loss": "log_loss",
    "calibration error": "calibration_error",
}


def print_scores(console: Console, splits: Mapping[str, Scores]) -> None:
    """Print the scores of splits side by side: totals, genres, feature groups; then what the splits are."""
    columns = list(splits.values())
    totals = Table("score (95 % interval)", *(shown(name) for name in splits))
    for name, field in _TOTALS.items():
        totals.add_row(name, *(_with_interval(scores, field) for scores in columns))
    for position, first in enumerate(columns[0].coverage_accuracy):
        totals.add_row(
            f"accuracy of top {first.coverage:.0%}",
            *(f"{scores.coverage_accuracy[position].accuracy:.3f}" for scores in columns),
        )
    console.print(totals)
    genres = Table("genre", "songs", *(f"recall / precision, {shown(name)}" for name in splits))
    for genre, in_first in columns[0].per_genre.items():
        found = [scores.per_genre[genre] for scores in columns]
        values = [f"{one.recall:.3f} / {one.precision:.3f}" for one in found]
        genres.add_row(shown(genre), f"{in_first.support:,}", *values)
    console.print(genres)
    if columns[0].importance:
        _print_importance(console, splits)
    for name, scores in splits.items():
        split = scores.split if scores.split.startswith(name) else f"{name}: {scores.split}"
        console.print(split, highlight=False, markup=False, soft_wrap=True)


def _print_importance(console: Console, splits: Mapping[str, Scores]) -> None:
    columns = list(splits.values())
    importance = Table("group of features", *(f"log-loss rise, {shown(name)}" for name in splits))
    for group in columns[0].importance:
        importance.add_row(group, *(f"{scores.importance[group]:+.3f}" for scores in columns))
    console.print(importance)


def write_evaluation(report: EvaluationReport, model: Path, folder: Path) -> None:
    """Write metrics, figures and, if the folder is the model's own, its card; end the command on failure."""
    try:
        write_reports(report, draw_figures(report), model, folder)
    except OSError as error:
        fail(f"the reports cannot be written to {folder}: {error}")


def _with_interval(scores: Scores, field: str) -> str:
    low, high = scores.intervals[field]
    return f"{getattr(scores, field):.3f} ({low:.3f} to {high:.3f})"
