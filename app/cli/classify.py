"""`genregraph classify`: its options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.download import STANDARD_OUTPUT, check_output, save_results
from app.cli.failure import USAGE, fail
from app.cli.help import OUTPUT
from app.cli.options import (
    FormatOption,
    MinConfidenceOption,
    OnMissingValueOption,
    OutputOption,
    WaitOption,
    for_service,
)
from app.cli.song_paths import song_paths
from ml.songs.problems import OnMissingValue

if TYPE_CHECKING:
    from app.cli.client import GraphQLClient


@for_service
def classify(  # noqa: PLR0913, PLR0917 - the options of the command
    client: GraphQLClient,
    files: Annotated[
        list[str],
        typer.Argument(
            callback=song_paths,
            metavar="FILE",
            help="CSV files of songs, patterns: 'songs/*.csv', or - for standard input.",
        ),
    ],
    skip_invalid_rows: Annotated[
        bool, typer.Option(help="Skip invalid rows instead of rejecting the file.")
    ] = False,
    on_missing_value: OnMissingValueOption = OnMissingValue.SKIP_ROW,
    min_confidence: MinConfidenceOption = 0.0,
    background: Annotated[
        bool, typer.Option("--background", help="Classify the files in the background.")
    ] = False,
    wait: WaitOption = True,
    output: OutputOption = None,
    form: FormatOption = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            rich_help_panel=OUTPUT,
            help="Print one JSON document: a list with an object for each file.",
        ),
    ] = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            rich_help_panel=OUTPUT,
            help="Explain each prediction; up to 1,000 rows per file.",
        ),
    ] = False,
    songs: Annotated[
        int,
        typer.Option(
            min=1, rich_help_panel=OUTPUT, help="Number of songs per file to explain with --explain."
        ),
    ] = 20,
) -> None:
    """Upload song files to a running service and print what it stored.

    With --explain, files are read and checked locally and their songs are sent as JSON; the batch then has
    no file name.

    Exit codes: 0 all stored, 1 file rejected, 2 usage error, 3 service unreachable or access denied.

    Examples:
      genregraph classify songs.csv
      genregraph classify 'songs/*.csv' --skip-invalid-rows --json
      genregraph classify large.csv --background --no-wait
      genregraph classify - --output - < songs.csv > genres.csv
    """
    if explain and background:
        fail("--explain and --background cannot be combined", USAGE)
    if output is not None:
        if len(files) > 1 or not wait or as_json:
            fail("--output takes a single input file and cannot be combined with --no-wait or --json", USAGE)
        check_output(output)
    paths = [Path(file) for file in files]
    options: dict[str, Any] = {
        "onInvalidRow": "SKIP_ROW" if skip_invalid_rows else "REJECT_FILE",
        "onMissingValue": on_missing_value.value,
        "minConfidence": min_confidence,
    }
    if background:
        options["background"] = True
    from rich.console import Console

    from app.cli.run_classify import send_all, sender

    console = Console(stderr=output == STANDARD_OUTPUT)
    send = sender(client, paths, options, explain=explain, wait=wait, quiet=as_json)
    outcomes = send_all(paths, send, console, as_json=as_json, songs=songs)
    if output is not None:
        batch_id = outcomes[0].result.get("id")
        if batch_id is None:
            fail("no song was classified; no output was written")
        save_results(client, batch_id, output, form)
