"""`genregraph train`, `learn`, `tune` and `sample-data`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import (
    FeaturesOption,
    FurtherOption,
    LabelsOption,
    LyricsOption,
    ModelOption,
    SeedOption,
    file_option,
)
from app.cli.output import INTERRUPTED, counted, fail, print_line, print_table, program, require_extra

if TYPE_CHECKING:
    from app.batches.stored_songs import VerifiedRows
    from app.database.engine import SessionFactory
    from ml.training.tune import TuningResult


def train(  # noqa: PLR0913, PLR0917 - the options of the command
    features: FeaturesOption,
    labels: LabelsOption,
    out: ModelOption,
    lyrics: LyricsOption = None,
    further: FurtherOption = None,
    parameters: Annotated[
        Path | None,
        file_option(help="JSON file of parameters, as written by tune.", show_default="the shipped model's"),
    ] = None,
    seed: SeedOption = 0,
) -> None:
    """Train a model on labelled songs, print how well its recipe does, and draw figures of that.

    Examples:
      genregraph train --features features.csv --labels labels.csv --out model
    """
    require_extra("matplotlib", "sklearn", "jinja2", extra="training")
    from app.cli.scores import print_left_out, print_scores, write_evaluation, writing_model
    from ml.model.artifact import REPORTS, load_ensemble
    from ml.training.evaluation import evaluate
    from ml.training.parameters import Parameters, read_parameters
    from ml.training.train import TrainingFiles
    from ml.training.train import train as train_model

    files = TrainingFiles(features, labels, lyrics, further)
    with writing_model(out) as show:
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


def learn(out: ModelOption = Path("learned-model")) -> None:
    """Improve the model with the verified songs of the database.

    Verify at least ten songs, under Review on the page or with `genregraph verify`. The model in use is not
    changed. The new one is written only if it is no worse on the verified songs, out of fold; the command
    then prints how to use it, and how to return to the previous model.

    Exit codes: 0 written, 1 not written.

    Examples:
      genregraph learn --out learned-model
    """
    require_extra("matplotlib", "sklearn", "jinja2", extra="training")
    from app.batches.stored_songs import StoredSongsRepository
    from app.cli.scores import print_left_out, print_scores, writing_model
    from app.cli.startup import model_or_fail, on_database, settings_or_fail
    from ml.training.learn import VerifiedSongs
    from ml.training.learn import learn as learn_from

    async def verified_rows(sessions: SessionFactory) -> VerifiedRows:
        async with sessions() as session:
            return await StoredSongsRepository(session).verified()

    settings = settings_or_fail()
    ensemble = model_or_fail(settings)
    rows = on_database(settings, verified_rows)
    if rows.until is None:
        fail(
            "no verified song has kept features. Verify songs under Review on the page or with `genregraph "
            "verify`, and keep GENREGRAPH_KEEP_FEATURES=true."
        )
    with writing_model(out) as show:
        verified = VerifiedSongs(rows.songs, rows.genres, rows.until)
        report = learn_from(ensemble, verified, out, progress=show)
    learned = report.learned
    print_scores({"before": learned.before, "after": learned.after})
    too_few = {
        f"songs of {genre}, which are too few of a new genre": n for genre, n in report.left_out.items()
    }
    print_left_out(too_few | {"songs whose features are not kept": rows.without_features})
    print_line(
        f"Model {report.manifest.model_version} is in {out}. It learned from "
        f"{sum(learned.rows_per_genre.values()):,} songs. Next:\n"
        "  1. Stop the service (Ctrl-C), and start it with this model: "
        f"GENREGRAPH_MODEL_DIR={out} {program()} serve\n"
        f"  2. Apply it to all stored songs, in another terminal: {program()} reclassify --all\n"
        "To return to the previous model, start the service as before, and reclassify again."
    )


def tune(  # noqa: PLR0913, PLR0917 - the options of the command
    features: FeaturesOption,
    labels: LabelsOption,
    out: Annotated[Path, typer.Option(dir_okay=False, help="JSON file of the best parameters to write.")],
    lyrics: LyricsOption = None,
    further: FurtherOption = None,
    storage: Annotated[
        Path, typer.Option(dir_okay=False, help="Journal file: a search in it continues.")
    ] = Path("tuning.journal"),
    trials: Annotated[int, typer.Option(min=1, help="Trials in all, including earlier ones.")] = 100,
    seed: SeedOption = 0,
) -> None:
    """Search for training parameters with a lower log-loss in artist-grouped folds.

    Ctrl-C stops the search and writes the best so far; the same command continues it.

    Examples:
      genregraph tune --features features.csv --labels labels.csv --out parameters.json
    """
    require_extra("optuna", "sklearn", "jinja2", extra="training")
    from app.cli.scores import progress_bar
    from ml.training.parameters import Parameters, write_parameters
    from ml.training.train import TrainingFiles
    from ml.training.tune import tune as search

    files = TrainingFiles(features, labels, lyrics, further)
    shipped = Parameters(seed=seed)
    with progress_bar() as show:
        try:
            result = search(files, journal=storage, trials=trials, shipped=shipped, progress=show)
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


def sample_data(
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder to write to.")] = Path("data/sample"),
    seed: Annotated[int, typer.Option(help="Different seeds make different songs.")] = 0,
) -> None:
    """Write the synthetic sample songs: features.csv, labels.csv and songs.csv.

    Examples:
      genregraph sample-data --out sample --seed 7
    """
    from ml.training.sample_data import write_sample_data

    out.mkdir(parents=True, exist_ok=True)
    write_sample_data(out, seed)
    typer.echo(f"Wrote features.csv, labels.csv and songs.csv to {out}.")
