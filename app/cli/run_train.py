"""What `genregraph train` runs. It needs the extra `training`."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from app.cli.failure import fail
from app.cli.progress import progress_bar
from app.cli.score_tables import print_scores, write_evaluation
from ml.model.artifact import REPORTS, ArtifactError, load_ensemble
from ml.training.data import TrainingDataError
from ml.training.evaluate import evaluate
from ml.training.parameters import Parameters, ParametersError, read_parameters
from ml.training.train import TrainingFiles, TrainingReport, train


def run_train(files: TrainingFiles, out: Path, parameters: Path | None, seed: int) -> None:
    """Train a model, print its scores, and write its figures and card.

    Args:
        files: to train on.
        out: folder of the model to write.
        parameters: the file of the recipe's numbers, None for the shipped model's.
        seed: the same files and seed give the same model.
    """
    with progress_bar() as show:
        try:
            chosen = Parameters() if parameters is None else read_parameters(parameters)
            chosen = chosen.model_copy(update={"seed": seed})
            report = train(files, out, parameters=chosen, progress=show)
            evaluation = evaluate(load_ensemble(out), files.features, files.labels)
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
