"""`genregraph evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.failure import USAGE, fail, require_extra
from app.cli.options import for_service
from app.cli.song_paths import song_path

if TYPE_CHECKING:
    from app.cli.client import GraphQLClient

LOCAL = "A model on this machine"


@for_service
def evaluate(  # noqa: PLR0913, PLR0917 - the options of the command
    client: GraphQLClient,
    features: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            allow_dash=True,
            callback=song_path,
            rich_help_panel=LOCAL,
            help="CSV of songs, - for standard input.",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            rich_help_panel=LOCAL,
            help="CSV of trackID and genre, and artist if known.",
        ),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(file_okay=False, rich_help_panel=LOCAL, help="Folder of the model.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            rich_help_panel=LOCAL,
            help="Folder of figures and metrics.json.",
            show_default="reports in the model",
        ),
    ] = None,
    stored: Annotated[
        bool,
        typer.Option("--stored", help="Score the model of a running service on its own verified songs."),
    ] = False,
) -> None:
    """Score a model on labelled songs: print tables, write figures and metrics.json.

    For songs that the model was trained on, these are the out-of-fold scores of its training.

    With --stored, print how often the model of a service is right about songs whose genre people verified,
    and that it had not learned from; nothing is written.

    Examples:
      genregraph evaluate --features features.csv --labels labels.csv --model model
      genregraph evaluate --stored
    """
    if stored:
        if any((features, labels, model, out)):
            fail("--stored goes without --features, --labels, --model and --out", USAGE)
        from app.cli.stored_scores import print_stored

        print_stored(client)
    elif features is None or labels is None or model is None:
        fail("give --features, --labels and --model, or else --stored", USAGE)
    else:
        _evaluate(features, labels, model, out)


def _evaluate(features: Path, labels: Path, model: Path, out: Path | None) -> None:
    require_extra("matplotlib", "sklearn", "jinja2", extra="training")
    from rich.console import Console

    from app.cli.score_tables import print_scores, write_evaluation
    from ml.model.artifact import REPORTS, ArtifactError, load_ensemble
    from ml.training.data import TrainingDataError
    from ml.training.evaluate import evaluate as evaluate_model

    try:
        report = evaluate_model(load_ensemble(model), features, labels)
    except (TrainingDataError, ArtifactError) as error:
        fail(str(error))
    console = Console()
    console.print(f"Model {report.model_version}", highlight=False)
    if report.out_of_fold:
        console.print(
            "The model was trained on these songs. These are the scores of its training: each song was "
            "predicted by a model that did not see it.",
            highlight=False,
            soft_wrap=True,
        )
    elif report.songs_left_out:
        console.print(
            f"Left out: {report.songs_left_out:,} songs that the model was trained on.", highlight=False
        )
    print_scores(console, report.splits)
    folder = out or model / REPORTS
    write_evaluation(report, model, folder)
    typer.echo(f"Figures and metrics.json are in {folder}.")
