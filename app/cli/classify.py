"""`genregraph classify`: send song files to a running service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from app.cli.client import LOCAL_CLIENT, GraphQLClient, NotReachedError, RefusedError
from app.cli.explain import SongsRead, classify_and_explain, print_reasons, read_songs
from app.cli.failure import FAILED, NOT_REACHED, USAGE, fail
from ml.song_file import OnInvalidRow, TooManyRowsError

CLASSIFY_BATCH = """
mutation ClassifyBatch($file: Upload!, $options: ClassifyBatchOptions) {
  classifyBatch(file: $file, options: $options) {
    __typename
    ... on Batch {
      id rowsUploaded rowsWithMissingValues rowsInvalid rowsDuplicated rowsClassified rowsUncertain
      minConfidence
      genres { genre { name } songCount }
    }
    ... on Error { message }
    ... on InvalidSongFile { problemCount problems(first: 10) { line column message } }
  }
}
"""


def probability(value: float) -> float:
    """Return a value that is from 0 to 1.

    Raises:
        typer.BadParameter: it is not (a NaN is not, which typer's own range would let through).
    """
    if not 0 <= value <= 1:
        raise typer.BadParameter(f"must be from 0 to 1, not {value:g}")
    return value


def classify(  # noqa: PLR0913, PLR0917 - the options of the command
    files: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV files of songs.")
    ],
    url: Annotated[
        str, typer.Option(envvar="GENREGRAPH_URL", help="The service's GraphQL endpoint.")
    ] = "http://127.0.0.1:8000/graphql",
    client_id: Annotated[
        str, typer.Option(envvar="GENREGRAPH_CLIENT_ID", help="Who you are.")
    ] = LOCAL_CLIENT,
    client_secret: Annotated[
        str, typer.Option(envvar="GENREGRAPH_CLIENT_SECRET", help="Your secret.")
    ] = LOCAL_CLIENT,
    skip_invalid_rows: Annotated[
        bool, typer.Option(help="Leave wrong rows out instead of refusing the file.")
    ] = False,
    min_confidence: Annotated[
        float,
        typer.Option(
            callback=probability,
            metavar="0..1",
            help="Store a song of lower confidence as uncertain; it keeps its genre.",
        ),
    ] = 0.0,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print why songs got their genres; up to 1,000 rows a file.")
    ] = False,
    songs: Annotated[
        int, typer.Option(min=1, help="With --explain, of how many songs of each file to print it.")
    ] = 20,
) -> None:
    """Send song files to a running service and print what it stored.

    With --explain the file is read and checked here and its songs are sent as JSON: the batch has no file
    name then.

    Exit codes: 0 all stored, 1 a file refused, 2 wrong usage, 3 not reachable or not allowed.
    """
    options = {
        "onInvalidRow": "SKIP_ROW" if skip_invalid_rows else "REJECT_FILE",
        "minConfidence": min_confidence,
    }
    console = Console()
    to_explain = _read_all(files, OnInvalidRow(options["onInvalidRow"])) if explain else {}
    refused = 0
    with GraphQLClient(url, client_id, client_secret) as client:
        for path in files:
            try:
                if explain:
                    result = classify_and_explain(client, to_explain[path], options)
                else:
                    result = upload(client, path, options)
            except NotReachedError as error:
                fail(str(error), NOT_REACHED)
            except RefusedError as error:
                refused += 1
                console.print(f"[red]{escape(path.name)}: {escape(str(error))}[/]")
                continue
            refused += result["__typename"] != "Batch"
            print_result(console, path.name, result)
            print_reasons(console, result.get("songs", []), songs)
    if refused:
        raise typer.Exit(FAILED)


def _read_all(files: list[Path], on_invalid_row: OnInvalidRow) -> dict[Path, SongsRead]:
    """Read files to explain, all before any is sent; end the command if one has too many rows."""
    found = {}
    for path in files:
        try:
            found[path] = read_songs(path, on_invalid_row)
        except TooManyRowsError as error:
            fail(
                f"{path.name}: --explain takes at most {error.max_rows:,} rows a file and this has more; "
                "send a part of it, or all of it without --explain",
                USAGE,
            )
    return found


def upload(client: GraphQLClient, path: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Send one file with a progress bar and return the mutation's result.

    Raises:
        NotReachedError, RefusedError: see `GraphQLClient`.
    """
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with (
        Progress(*columns, console=Console(stderr=True), transient=True) as progress,
        progress.open(path, "rb", description=escape(path.name)) as file,
    ):
        variables = {"options": options}
        data = client.upload(CLASSIFY_BATCH, variables, variable="file", file=file, name=path.name)
    return dict(data["classifyBatch"])


def print_result(console: Console, name: str, result: dict[str, Any]) -> None:
    """Print what a file came to: counts and genres, or what was wrong."""
    if result["__typename"] != "Batch":
        console.print(f"[red]{escape(name)}: {escape(result['message'])}[/]")
        for problem in result.get("problems", []):
            console.print(f"  {escape(problem['message'])}", highlight=False)
        return
    console.print(
        f"{escape(name)}: {result['rowsUploaded']:,} rows, {result['rowsClassified']:,} songs stored "
        f"({result['rowsWithMissingValues']:,} rows with missing values, {result['rowsInvalid']:,} invalid, "
        f"{result['rowsDuplicated']:,} repeated)",
        highlight=False,
        soft_wrap=True,
    )
    if result["minConfidence"] > 0:
        console.print(
            f"{result['rowsUncertain']:,} of them uncertain (confidence below {result['minConfidence']:g})",
            highlight=False,
        )
    table = Table("genre", "songs")
    table.columns[1].justify = "right"
    for found in result["genres"]:
        table.add_row(escape(found["genre"]["name"]), f"{found['songCount']:,}")
    console.print(table)
