"""`genregraph tune`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.failure import INTERRUPTED, fail, require_extra
from app.cli.options import (
    FeaturesOption,
    FurtherOption,
    LabelsOption,
    LyricsOption,
    SeedOption,
)

if TYPE_CHECKING:
    from ml.training.tune import TuningResult


def tune(  # noqa: PLR0913, PLR0917 - the options of the command
    features: FeaturesOption,
    labels: LabelsOption,
    out: Annotated[Path, typer.Option(dir_okay=False, help="JSON file of the best parameters to write.")],
    lyrics: LyricsOption = None,
    further: FurtherOption = None,
    storage: Annotated[
        str, typer.Option(help="Journal file, or URL of a database (sqlite:///…): a study in it continues.")
    ] = "tuning.journal",
    study: Annotated[str, typer.Option(help="Name of the study in the storage.")] = "genregraph",
    trials: Annotated[
        int, typer.Option(min=1, help="Trials of the study in all, including earlier ones.")
    ] = 100,
    seed: SeedOption = 0,
) -> None:
    """Search for training parameters with a lower log-loss in artist-grouped folds.

    Ctrl-C stops the search and writes the best so far; the same command continues it.

    Examples:
      genregraph tune --features features.csv --labels labels.csv --out parameters.json
    """
    require_extra("optuna", "sklearn", "jinja2", extra="training")
    from app.cli.progress import progress_bar
    from ml.training.data import TrainingDataError
    from ml.training.parameters import Parameters, write_parameters
    from ml.training.train import TrainingFiles
    from ml.training.tune import TuningError
    from ml.training.tune import tune as search

    files = TrainingFiles(features, labels, lyrics, further)
    shipped = Parameters(seed=seed)
    with progress_bar() as show:
        try:
            result = search(
                files, storage=storage, trials=trials, study=study, shipped=shipped, progress=show
            )
        except (TrainingDataError, TuningError) as error:
            fail(str(error))
        except KeyboardInterrupt:
            fail("stopped before a trial was done", INTERRUPTED)
    try:
        write_parameters(out, result.parameters, study=result.origin())
    except OSError as error:
        fail(f"the parameters cannot be written to {out}: {error}")
    _print_result(result, shipped.model_dump(exclude={"seed"}), out)
    if result.interrupted:
        typer.echo(f"Stopped at {result.trials} of {trials} trials. The same command continues.")
        raise typer.Exit(INTERRUPTED)


def _print_result(result: TuningResult, shipped_values: dict[str, float], out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    scores = Table("grouped folds", "shipped parameters", f"best, trial {result.best_trial}")
    for name, shipped, best in (
        ("log-loss (the objective)", result.shipped_log_loss, result.log_loss),
        ("accuracy", result.shipped_accuracy, result.accuracy),
    ):
        scores.add_row(name, f"{shipped:.4f}", f"{best:.4f}")
    console.print(scores)
    parameters = Table("parameter", "shipped", "best")
    for name, value in result.parameters.model_dump(exclude={"seed"}).items():
        parameters.add_row(name, f"{shipped_values[name]:.4g}", f"{value:.4g}")
    console.print(parameters)
    console.print(f"Scored in {result.split}.", highlight=False, soft_wrap=True)
    console.print(
        f"The best of {result.trials} trials was chosen on these folds, so its scores flatter it. Score the "
        "model it makes on songs that took no part: genregraph evaluate.",
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f"The parameters are in {out}: genregraph train --parameters {out}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
