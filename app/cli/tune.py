"""`genregraph tune`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import (
    FeaturesOption,
    FurtherOption,
    LabelsOption,
    LyricsOption,
    SeedOption,
)
from app.cli.output import INTERRUPTED, fail, print_line, print_table, require_extra

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
    from app.cli.training import progress_bar
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


def _print_result(result: TuningResult, shipped: dict[str, float], out: Path) -> None:
    scores = (
        ("log-loss (the objective)", f"{result.shipped_log_loss:.4f}", f"{result.log_loss:.4f}"),
        ("accuracy", f"{result.shipped_accuracy:.4f}", f"{result.accuracy:.4f}"),
    )
    print_table(("grouped folds", "shipped parameters", f"best, trial {result.best_trial}"), scores)
    best = result.parameters.model_dump(exclude={"seed"})
    values = [(name, f"{shipped[name]:.4g}", f"{value:.4g}") for name, value in best.items()]
    print_table(("parameter", "shipped", "best"), values)
    print_line(f"Scored in {result.split}.")
    print_line(
        f"The best of {result.trials} trials was chosen on these folds, so its scores flatter it. Score the "
        "model it makes on songs that took no part: genregraph evaluate."
    )
    print_line(f"The parameters are in {out}: genregraph train --parameters {out}")
