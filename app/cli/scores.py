"""Print scores and progress of training, and write reports. Needs the extra `training`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

from app.cli.output import fail, print_line, print_table, progress, shown
from ml.model.manifest import Scores
from ml.training.evaluation import EvaluationReport, write_reports
from ml.training.figures import draw_figures

_TOTALS = {
    "accuracy": "accuracy",
    "macro-F1": "macro_f1",
    "log-loss": "log_loss",
    "calibration error": "calibration_error",
}


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int, str], None]]:
    """Show a progress bar; yield a function that takes the steps done, all steps, and the current one."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with progress(*columns) as bar:
        task = bar.add_task("", total=None)

        def show(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=shown(what))

        yield show


@contextmanager
def writing_model(out: Path) -> Iterator[Callable[[int, int, str], None]]:
    """Show a bar as `progress_bar` does; end the command if `out` cannot be written."""
    with progress_bar() as show:
        try:
            yield show
        except OSError as error:
            fail(f"the model cannot be written to {out}: {error}")


def print_scores(splits: Mapping[str, Scores]) -> None:
    """Print the scores of splits side by side: totals, genres, feature groups; then the splits."""
    columns = list(splits.values())
    first = columns[0]
    totals = [(name, *(_with_interval(one, field) for one in columns)) for name, field in _TOTALS.items()]
    totals += [
        (f"accuracy of top {top[0].coverage:.0%}", *(f"{one.accuracy:.3f}" for one in top))
        for top in zip(*(one.coverage_accuracy for one in columns), strict=True)
    ]
    print_table(("score (95 % interval)", *splits), totals)
    genres = [
        (
            genre,
            in_first.support,
            *(f"{one.per_genre[genre].recall:.3f} / {one.per_genre[genre].precision:.3f}" for one in columns),
        )
        for genre, in_first in first.per_genre.items()
    ]
    print_table(("genre", "songs", *(f"recall / precision, {name}" for name in splits)), genres)
    if first.importance:
        rises = [(group, *(f"{one.importance[group]:+.3f}" for one in columns)) for group in first.importance]
        print_table(("group of features", *(f"log-loss rise, {name}" for name in splits)), rises)
    for name, scores in splits.items():
        print_line(scores.split if scores.split.startswith(name) else f"{name}: {scores.split}")


def print_left_out(reasons: Mapping[str, int]) -> None:
    """Print how many songs were left out, by reason."""
    for reason, count in reasons.items():
        if count:
            print_line(f"Left out: {count:,} {reason}.")


def write_evaluation(report: EvaluationReport, model: Path, folder: Path) -> None:
    """Write metrics, figures and, in the model's own folder, its card; end the command on failure."""
    try:
        write_reports(report, draw_figures(report), model, folder)
    except OSError as error:
        fail(f"the reports cannot be written to {folder}: {error}")


def _with_interval(scores: Scores, field: str) -> str:
    low, high = scores.intervals[field]
    return f"{getattr(scores, field):.3f} ({low:.3f} to {high:.3f})"
