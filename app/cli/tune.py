"""`genregraph tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.failure import require_extra
from app.cli.options import (
    FeaturesOption,
    FurtherOption,
    LabelsOption,
    LyricsOption,
    SeedOption,
)


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
    from app.cli.run_tune import run_tune
    from ml.training.train import TrainingFiles

    files = TrainingFiles(features, labels, lyrics, further)
    run_tune(files, out, storage=storage, study=study, trials=trials, seed=seed)
