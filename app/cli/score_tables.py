"""Tables of scores, one column for each split."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ml.evaluation import Scores


def print_scores(console: Console, splits: Mapping[str, Scores]) -> None:
    """Print the scores of splits side by side, then those of each genre, then what the splits are."""
    columns = list(splits.values())
    totals = Table("score", *(escape(name) for name in splits))
    for name, field in (
        ("accuracy", "accuracy"),
        ("macro-F1", "macro_f1"),
        ("log-loss", "log_loss"),
        ("calibration error", "calibration_error"),
    ):
        totals.add_row(name, *(f"{getattr(scores, field):.3f}" for scores in columns))
    for position, first in enumerate(columns[0].coverage_accuracy):
        totals.add_row(
            f"accuracy of the most confident {first.coverage:.0%}",
            *(f"{scores.coverage_accuracy[position].accuracy:.3f}" for scores in columns),
        )
    console.print(totals)
    genres = Table("genre", "songs", *(f"recall / precision, {escape(name)}" for name in splits))
    for genre, in_first in columns[0].per_genre.items():
        found = [scores.per_genre[genre] for scores in columns]
        values = [f"{one.recall:.3f} / {one.precision:.3f}" for one in found]
        genres.add_row(escape(genre), f"{in_first.support:,}", *values)
    console.print(genres)
    for name, scores in splits.items():
        split = scores.split if scores.split.startswith(name) else f"{name}: {scores.split}"
        console.print(split, highlight=False, markup=False, soft_wrap=True)
