"""`genregraph tune`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.cli.failure import fail, require_extra
from app.cli.progress import progress_bar
from app.cli.training_options import FeaturesOption, LabelsOption, LyricsOption
from ml.labels import TrainingDataError
from ml.parameters import Parameters
from ml.parameters_file import write_parameters

if TYPE_CHECKING:
    from ml.tuning import TuningResult

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended, by the shell's custom."""


def tune(  # noqa: PLR0913, PLR0917 - the options of the command
    features: FeaturesOption,
    labels: LabelsOption,
    out: Annotated[Path, typer.Option(dir_okay=False, help="JSON file of the best parameters to write.")],
    lyrics: LyricsOption = None,
    storage: Annotated[
        str, typer.Option(help="Journal file, or URL of a database (sqlite:///…): a study in it goes on.")
    ] = "tuning.journal",
    study: Annotated[str, typer.Option(help="Name of the study in the storage.")] = "genregraph",
    trials: Annotated[
        int, typer.Option(min=1, help="Trials of the study in all, those of before included.")
    ] = 100,
    processes: Annotated[int, typer.Option(min=1, help="Trials to run at once.")] = 1,
    seed: Annotated[int, typer.Option(help="Of folds, recipe and search.")] = 0,
) -> None:
    """Search for training parameters with a lower log-loss in artist-grouped folds.

    Ctrl-C stops the search and writes the best so far; the same command goes on.
    """
    require_extra("optuna", "training")
    from ml.tuning import TuningError  # noqa: PLC0415 - optuna is in an extra, the other commands do without
    from ml.tuning import tune as search  # noqa: PLC0415 - the same

    with progress_bar() as show:
        try:
            result = search(
                features,
                labels,
                lyrics,
                storage=storage,
                trials=trials,
                processes=processes,
                seed=seed,
                study=study,
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
    _print_result(result, out)
    if result.interrupted:
        typer.echo(f"Stopped at {result.trials} of {trials} trials. The same command goes on.")
        raise typer.Exit(INTERRUPTED)


def _print_result(result: TuningResult, out: Path) -> None:
    console = Console()
    scores = Table("grouped folds", "shipped parameters", f"best, trial {result.best_trial}")
    for name, shipped, best in (
        ("log-loss (the objective)", result.shipped_log_loss, result.log_loss),
        ("accuracy", result.shipped_accuracy, result.accuracy),
    ):
        scores.add_row(name, "not done" if shipped is None else f"{shipped:.4f}", f"{best:.4f}")
    console.print(scores)
    parameters = Table("parameter", "shipped", "best")
    shipped_values = Parameters().model_dump(exclude={"seed"})
    for name, value in result.parameters.model_dump(exclude={"seed"}).items():
        parameters.add_row(name, f"{shipped_values[name]:.4g}", f"{value:.4g}")
    console.print(parameters)
    console.print(f"Scored in {result.split}.", highlight=False, soft_wrap=True)
    console.print(
        f"Beware: the best of {result.trials} trials was chosen on these very folds, so its scores flatter "
        "it. Score the model it makes on songs that took no part: genregraph evaluate.",
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f"The parameters are in {out}: genregraph train --parameters {out}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
