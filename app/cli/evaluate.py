"""`genregraph evaluate`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.options import Service, for_service, labels_option, songs_option
from app.cli.output import USAGE, counted, fail, print_line, print_table, require_extra

LOCAL = "A model on this machine"
local_option = partial(typer.Option, file_okay=False, rich_help_panel=LOCAL)

ACCURACY = """
query AccuracyOnVerified {
  accuracyOnVerified {
    modelVersion songsVerified
    overall { ...all }
    byConfidence { minConfidence maxConfidence accuracy { ...all } }
    byGenre { genre accuracy { ...all } }
  }
}
fragment all on Accuracy { songs share lower upper }
"""


@for_service
def evaluate(  # noqa: PLR0913, PLR0917 - the options of the command
    client: Service,
    features: Annotated[Path | None, songs_option(rich_help_panel=LOCAL)] = None,
    labels: Annotated[Path | None, labels_option(rich_help_panel=LOCAL)] = None,
    model: Annotated[Path | None, local_option(help="Folder of the model.")] = None,
    out: Annotated[
        Path | None,
        local_option(help="Folder of figures and metrics.json.", show_default="reports in the model"),
    ] = None,
    stored: Annotated[
        bool,
        typer.Option("--stored", help="Score the model of a running service on its own verified songs."),
    ] = False,
) -> None:
    """Score a model on labelled songs: print tables, write figures and metrics.json.

    For songs that the model was trained on, these are the out-of-fold scores of its training.

    With --stored, print the accuracy of a service's model on verified songs that it has not learned from;
    nothing is written.

    Examples:
      genregraph evaluate --features features.csv --labels labels.csv --model model
      genregraph evaluate --stored
    """
    if stored:
        if any((features, labels, model, out)):
            fail("--stored cannot be combined with --features, --labels, --model or --out", USAGE)
        _print_stored(client)
    elif features is None or labels is None or model is None:
        fail("use --features, --labels and --model, or --stored", USAGE)
    else:
        _evaluate(features, labels, model, out)


def _evaluate(features: Path, labels: Path, model: Path, out: Path | None) -> None:
    require_extra("matplotlib", "sklearn", "jinja2", extra="training")
    from app.cli.scores import print_scores, write_evaluation
    from ml.model.artifact import REPORTS, load_ensemble
    from ml.training.evaluation import evaluate as evaluate_model

    report = evaluate_model(load_ensemble(model), features, labels)
    print_line(f"Model {report.model_version}")
    if report.out_of_fold:
        print_line(
            "The model was trained on these songs. These are the scores of its training: each song was "
            "predicted by a model that did not see it."
        )
    elif report.songs_left_out:
        print_line(f"Left out: {counted(report.songs_left_out, 'song')} that the model was trained on.")
    print_scores(report.splits)
    folder = out or model / REPORTS
    write_evaluation(report, model, folder)
    print_line(f"Figures and metrics.json are in {folder}.")


def _print_stored(client: Service) -> None:
    """Print the accuracy of a service's model on verified songs."""
    found = client.execute(ACCURACY)["accuracyOnVerified"]
    overall = found["overall"]
    print_line(f"Model {found['modelVersion']}")
    if not overall["songs"]:
        print_line("There are no verified songs that the model has not learned from.")
        return
    print_line(
        f"Right about {_with_interval(overall)} of {overall['songs']:,} verified songs that it had not "
        f"learned from; {found['songsVerified']:,} songs are verified in all. If the least confident songs "
        "were verified first, it is right more often about all songs."
    )
    ranges = {
        f"{part['minConfidence']:.1f} to {part['maxConfidence']:.1f}": part["accuracy"]
        for part in found["byConfidence"]
    }
    genres = {part["genre"]: part["accuracy"] for part in found["byGenre"]}
    for name, parts in (("confidence", ranges), ("genre", genres)):
        rows = [
            (label, part["songs"], _with_interval(part)) for label, part in parts.items() if part["songs"]
        ]
        print_table((name, "songs", "accuracy (95 % interval)"), rows)


def _with_interval(part: Mapping[str, Any]) -> str:
    return f"{part['share']:.1%} ({part['lower']:.1%} to {part['upper']:.1%})"
