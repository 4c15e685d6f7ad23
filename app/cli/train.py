"""`genregraph train`."""

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
    from app.cli.run_train import run_train
    from ml.training.train import TrainingFiles

    run_train(TrainingFiles(features, labels, lyrics, further), out, parameters, seed)
