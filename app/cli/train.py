"""`genregraph train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from app.cli.options import (
    FeaturesOption,
    FurtherOption,
    LabelsOption,
    LyricsOption,
    ModelOption,
    SeedOption,
    file_option,
)
from app.cli.output import counted, print_line, require_extra


def train(  # noqa: PLR0913, PLR0917 - the options of the command
    features: FeaturesOption,
    labels: LabelsOption,
    out: ModelOption,
    lyrics: LyricsOption = None,
    further: FurtherOption = None,
    parameters: Annotated[
        Path | None,
        file_option(
            help="JSON of the recipe's numbers, as tune writes it.", show_default="the shipped model's"
        ),
    ] = None,
    seed: SeedOption = 0,
) -> None:
    """Train a model on labelled songs, print how well its recipe does, and draw figures of that.

    Examples:
      genregraph train --features features.csv --labels labels.csv --out model
    """
    require_extra("matplotlib", "sklearn", "jinja2", extra="training")
    from app.cli.training import print_left_out, print_scores, write_evaluation, writing_model
    from ml.model.artifact import REPORTS, ArtifactError, load_ensemble
    from ml.training.data import TrainingDataError
    from ml.training.evaluate import evaluate
    from ml.training.parameters import Parameters, ParametersError, read_parameters
    from ml.training.train import TrainingFiles
    from ml.training.train import train as train_model

    files = TrainingFiles(features, labels, lyrics, further)
    with writing_model(out, ParametersError, TrainingDataError, ArtifactError) as show:
        chosen = Parameters() if parameters is None else read_parameters(parameters)
        chosen = chosen.model_copy(update={"seed": seed})
        report = train_model(files, out, parameters=chosen, progress=show)
        evaluation = evaluate(load_ensemble(out), features, labels)
    print_scores(evaluation.splits)
    write_evaluation(evaluation, out, out / REPORTS)
    rows = report.manifest.training_data.rows
    sources = ", ".join(f"{name}: {counted(count, 'row')}" for name, count in rows.items())
    print_line(f"Trained on {sources}.")
    print_left_out(
        {
            "songs with missing values": report.data.rows_with_missing_values,
            "songs without a genre": report.data.songs_without_label,
            "genres without a song": report.data.labels_without_song,
        }
    )
    print_line(f"Model {report.manifest.model_version} is in {out}.")
