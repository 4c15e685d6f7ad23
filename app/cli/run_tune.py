"""What `genregraph tune` runs. It needs the extra `training`."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from app.cli.failure import INTERRUPTED, fail
from app.cli.progress import progress_bar
from ml.training.data import TrainingDataError
from ml.training.parameters import Parameters, write_parameters
from ml.training.train import TrainingFiles
from ml.training.tune import TuningError, TuningResult
from ml.training.tune import tune as search


def run_tune(  # noqa: PLR0913 - the options of the command
    files: TrainingFiles, out: Path, *, storage: str, study: str, trials: int, seed: int
) -> None:
    """Search, write the best parameters found, and print how good they are.

    Args:
        files: to train on.
        out: JSON file to write.
        storage: where the study is kept.
        study: its name.
        trials: in all.
        seed: of the search.
    """
    shipped = Parameters(seed=seed)
    with progress_bar() as show:
        try:
            result = search(
                files,
                storage=storage,
                trials=trials,
                study=study,
                shipped=shipped,
                progress=show,
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
