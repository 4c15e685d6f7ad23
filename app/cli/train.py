"""`genregraph train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.failure import fail, require_extra
from app.cli.options import (
    FeaturesOption,
    FurtherOption,
    LabelsOption,
    LyricsOption,
    SeedOption,
)

if TYPE_CHECKING:
    from rich.console import Console

    from ml.training.train import TrainingReport


def train(  # noqa: PLR0913, PLR0917 - the options of the command
    features: FeaturesOption,
    labels: LabelsOption,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder of the model to write.")],
    lyrics: LyricsOption = None,
    further: FurtherOption = None,
    parameters: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="JSON of the recipe's numbers, as tune writes it.",
            show_default="the shipped model's",
        ),
    ] = None,
    seed: SeedOption = 0,
) -> None:
    """Train a model on labelled songs, print how well its recipe does, and draw figures of that.

    Examples:
      genregraph train --features features.csv --labels labels.csv --out model
    """
    require_extra("matplotlib", "sklearn", "jinja2", extra="training")
    from rich.console import Console

    from app.cli.progress import progress_bar
    from app.cli.score_tables import print_scores, write_evaluation
    from ml.model.artifact import REPORTS, ArtifactError, load_ensemble
    from ml.training.data import TrainingDataError
    from ml.training.evaluate import evaluate
    from ml.training.parameters import Parameters, ParametersError, read_parameters
    from ml.training.train import TrainingFiles
    from ml.training.train import train as train_model

    files = TrainingFiles(features, labels, lyrics, further)
    with progress_bar() as show:
        try:
            chosen = Parameters() if parameters is None else read_parameters(parameters)
            chosen = chosen.model_copy(update={"seed": seed})
            report = train_model(files, out, parameters=chosen, progress=show)
            evaluation = evaluate(load_ensemble(out), features, labels)
        except (ParametersError, TrainingDataError, ArtifactError) as error:
            fail(str(error))
        except OSError as error:
            fail(f"the model cannot be written to {out}: {error}")
    console = Console()
    print_scores(console, evaluation.splits)
    write_evaluation(evaluation, out, out / REPORTS)
    _print_left_out(console, report)
    console.print(f"Model {report.manifest.model_version} is in {out}.", highlight=False, soft_wrap=True)


def _print_left_out(console: Console, report: TrainingReport) -> None:
    rows = report.manifest.training_data.rows
    console.print(
        "Trained on " + ", ".join(f"{name}: {count:,} rows" for name, count in rows.items()) + ".",
        highlight=False,
        soft_wrap=True,
    )
    left_out = {
        "songs with missing values": report.data.rows_with_missing_values,
        "songs without a genre": report.data.songs_without_label,
        "genres without a song": report.data.labels_without_song,
    }
    for what, count in left_out.items():
        if count:
            console.print(f"Left out: {count:,} {what}.", highlight=False)
