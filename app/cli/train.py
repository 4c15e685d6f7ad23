"""`genregraph train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.cli.failure import fail
from app.cli.progress import progress_bar
from app.cli.score_tables import print_scores
from app.cli.training_options import FeaturesOption, LabelsOption, LyricsOption
from ml.artifact import ArtifactError
from ml.labels import TrainingDataError
from ml.parameters_file import ParametersError, read_parameters
from ml.reports import GROUPED_FOLDS, RANDOM_FOLDS, REPORTS
from ml.training import TrainingReport
from ml.training import train as train_model


def train(  # noqa: PLR0913, PLR0917 - the options of the command
    features: FeaturesOption,
    labels: LabelsOption,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder of the model to write.")],
    lyrics: LyricsOption = None,
    parameters: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="JSON of the recipe's numbers, as tune writes it.",
            show_default="the shipped model's",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same files and seed give the same model.")] = 0,
) -> None:
    """Train a model on labelled songs and print how well its recipe does."""
    had_reports = (out / REPORTS).is_dir()
    with progress_bar() as show:
        try:
            chosen = None if parameters is None else read_parameters(parameters)
            report = train_model(features, labels, lyrics, out, seed=seed, parameters=chosen, progress=show)
        except (ParametersError, TrainingDataError, ArtifactError) as error:
            fail(str(error))
        except OSError as error:
            fail(f"the model cannot be written to {out}: {error}")
    _print_report(report, out)
    if had_reports:
        typer.echo(f"The old model's {out / REPORTS} went with it: genregraph evaluate makes new ones.")


def _print_report(report: TrainingReport, out: Path) -> None:
    console = Console()
    print_scores(console, {RANDOM_FOLDS: report.random_folds, GROUPED_FOLDS: report.grouped_folds})
    _print_sensitivity(console, report)
    left_out = {
        "songs with missing values": report.rows_with_missing_values,
        "songs without a genre": report.songs_without_label,
        "genres without a song": report.labels_without_song,
    }
    for what, count in left_out.items():
        if count:
            console.print(f"Left out: {count:,} {what}.", highlight=False)
    console.print(f"Model {report.manifest.model_version} is in {out}.", highlight=False, soft_wrap=True)


def _print_sensitivity(console: Console, report: TrainingReport) -> None:
    sizes = report.manifest.metrics.grouping_sensitivity
    if not sizes:
        return
    table = Table("songs of a pseudo-artist", "pseudo-artists", "accuracy", "macro-F1", "log-loss")
    for size in sizes:
        scores = (size.accuracy, size.macro_f1, size.log_loss)
        table.add_row(str(size.songs_per_group), str(size.groups), *(f"{score:.3f}" for score in scores))
    console.print(table)
    console.print(
        "The songs name no artists. How grouped scores hang on the size of the clusters that stand in for "
        "them is above.",
        highlight=False,
    )
