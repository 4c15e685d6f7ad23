"""`genregraph train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.cli.failure import fail
from ml.artifact import ArtifactError
from ml.labels import TrainingDataError
from ml.training import TrainingReport
from ml.training import train as train_model

GENRE_SCORES = ("recall, random", "recall, grouped", "precision, random", "precision, grouped")


def train(
    features: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="CSV of songs.")],
    labels: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, help="CSV of trackID and genre, and artist if known."),
    ],
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder of the model to write.")],
    lyrics: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="CSV of other songs' genre and tags.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same files and seed give the same model.")] = 0,
) -> None:
    """Train a model on labelled songs and print how well its recipe does."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)

        def show(done: int, total: int, what: str) -> None:
            progress.update(task, completed=done, total=total, description=escape(what))

        try:
            report = train_model(features, labels, lyrics, out, seed=seed, progress=show)
        except (TrainingDataError, ArtifactError) as error:
            fail(str(error))
        except OSError as error:
            fail(f"the model cannot be written to {out}: {error}")
    _print_report(report, out)


def _print_report(report: TrainingReport, out: Path) -> None:
    console = Console()
    random, grouped = report.random_folds, report.grouped_folds
    table = Table("out-of-fold score", "random folds", "artist-grouped folds")
    table.add_row("accuracy", f"{random.accuracy:.3f}", f"{grouped.accuracy:.3f}")
    table.add_row("macro-F1", f"{random.macro_f1:.3f}", f"{grouped.macro_f1:.3f}")
    table.add_row("log-loss", f"{random.log_loss:.3f}", f"{grouped.log_loss:.3f}")
    console.print(table)
    genres = Table("genre", "songs", *GENRE_SCORES)
    for genre, known in random.per_genre.items():
        new = grouped.per_genre[genre]
        scores = known.recall, new.recall, known.precision, new.precision
        genres.add_row(escape(genre), f"{known.support:,}", *(f"{score:.3f}" for score in scores))
    console.print(genres)
    console.print(
        f"random folds: {random.split}", f"artist-grouped folds: {grouped.split}", sep="\n", highlight=False
    )
    left_out = {
        "songs with missing values": report.rows_with_missing_values,
        "songs without a genre": report.songs_without_label,
        "genres without a song": report.labels_without_song,
    }
    for what, count in left_out.items():
        if count:
            console.print(f"Left out: {count:,} {what}.", highlight=False)
    console.print(f"Model {report.manifest.model_version} is in {out}.", highlight=False, soft_wrap=True)
