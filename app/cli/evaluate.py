"""`genregraph evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.cli.failure import fail, require_extra
from app.cli.progress import progress_bar
from app.cli.score_tables import print_scores
from app.cli.training_options import FeaturesOption, LabelsOption
from ml.artifact import ArtifactError, load_ensemble, write_card
from ml.assessment import assess
from ml.labels import TrainingDataError
from ml.reports import REPORTS, EvaluationReport, write_reports


def evaluate(
    features: FeaturesOption,
    labels: LabelsOption,
    model: Annotated[Path, typer.Option(file_okay=False, help="Folder of the model.")],
    lyrics: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="The lyrics file of the training; needed only to score the model's own training songs.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            file_okay=False, help="Folder of figures and metrics.json.", show_default="reports in the model"
        ),
    ] = None,
) -> None:
    """Score a model on labelled songs: print tables, write figures and metrics.json.

    Songs that the model was trained on are scored out of fold, by its recipe trained anew without them.
    """
    require_extra("matplotlib", "training")
    from ml.figures import draw_figures  # noqa: PLC0415 - matplotlib is in an extra, the other commands do without

    with progress_bar() as show:
        try:
            ensemble = load_ensemble(model)
            report = assess(ensemble, features, labels, lyrics, progress=show)
        except (TrainingDataError, ArtifactError) as error:
            fail(str(error))
    _print_report(report)
    folder = out or model / REPORTS
    try:
        write_reports(report, draw_figures(report), folder)
        if folder.resolve() == (model / REPORTS).resolve():
            write_card(model)
    except OSError as error:
        fail(f"the reports cannot be written to {folder}: {error}")
    typer.echo(f"Figures and metrics.json are in {folder}.")


def _print_report(report: EvaluationReport) -> None:
    console = Console()
    console.print(f"Model {report.model_version}", highlight=False)
    if report.out_of_fold:
        console.print(
            "The model was trained on these songs. So its recipe was trained anew, and each song is scored "
            "by a model that did not see it.",
            highlight=False,
        )
    elif report.songs_left_out:
        console.print(
            f"Left out: {report.songs_left_out:,} songs that the model was trained on.", highlight=False
        )
    print_scores(console, {name: split.scores for name, split in report.splits.items()})
    importance = Table("group of features", *(f"log-loss rise, {name}" for name in report.splits))
    splits = list(report.splits.values())
    for group in splits[-1].feature_importance:
        importance.add_row(group, *(f"{split.feature_importance[group]:+.3f}" for split in splits))
    console.print(importance)
