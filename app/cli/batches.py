"""`genregraph batches`, `batch`, `download` and `reclassify`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from app.cli.options import (
    BatchArgument,
    CsvOption,
    FormatOption,
    JsonOption,
    MinConfidenceOption,
    OutputOption,
    ResultFormat,
    Service,
    WaitOption,
    for_service,
)
from app.cli.output import FAILED, USAGE, counted, fail, print_rows

STANDARD_OUTPUT = Path("-")

BATCHES = """
query Batches($first: Int!) {
  batches(first: $first) { nodes { id fileName status rowsUploaded rowsClassified createdAt } }
}
"""

COLUMNS = {
    "id": "id",
    "file": "fileName",
    "status": "status",
    "rows": "rowsUploaded",
    "classified": "rowsClassified",
    "created": "createdAt",
}


@for_service
def batches(
    client: Service,
    first: Annotated[int, typer.Option(min=1, max=1_000, help="Maximum number.")] = 20,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """List your batches, newest first; admins see all clients' batches.

    Examples:
      genregraph batches
      genregraph batches --first 1 --json
    """
    nodes = client.execute(BATCHES, {"first": first})["batches"]["nodes"]
    print_rows(COLUMNS, nodes, as_json=as_json, as_csv=as_csv)


action_option = partial(typer.Option, rich_help_panel="What to do with it")

CANCEL = "mutation CancelBatch($id: ID!) { cancelBatch(id: $id) { status } }"

DELETE = """
mutation DeleteBatch($id: ID!, $songs: Boolean!) { deleteBatch(id: $id, songs: $songs) { songsDeleted } }
"""


@for_service
def batch(  # noqa: PLR0913, PLR0917 - the options of the command
    client: Service,
    batch_id: BatchArgument,
    follow: Annotated[bool, action_option("--follow", help="Wait until it finishes.")] = False,
    cancel: Annotated[bool, action_option("--cancel", help="Stop it and discard its file.")] = False,
    delete: Annotated[bool, action_option("--delete", help="Delete it and its results.")] = False,
    with_songs: Annotated[
        bool, action_option("--with-songs", help="With --delete, also delete its songs.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show, follow, cancel or delete a batch.

    Examples:
      genregraph batch QmF0Y2g6…
      genregraph batch QmF0Y2g6… --follow
      genregraph batch QmF0Y2g6… --delete --with-songs
    """
    if follow + cancel + delete > 1 or (with_songs and not delete):
        fail("use only one of --follow, --cancel and --delete; --with-songs requires --delete", USAGE)
    if cancel:
        status = client.execute(CANCEL, {"id": batch_id})["cancelBatch"]["status"]
        typer.echo(f"The batch is {status.lower()}.")
    elif delete:
        deleted = client.execute(DELETE, {"id": batch_id, "songs": with_songs})["deleteBatch"]
        typer.echo(f"Deleted the batch and {counted(deleted['songsDeleted'], 'song')}.")
    else:
        _show(client, batch_id, follow=follow, as_json=as_json)


def _show(client: Service, batch_id: str, *, follow: bool, as_json: bool) -> None:
    from app.cli.results import Outcome, print_outcome
    from app.cli.sending import BATCH_BY_ID, FileProgress, wait_for

    found = client.execute(BATCH_BY_ID, {"id": batch_id})["batch"]
    if found is None:
        fail(f"there is no batch {batch_id}")
    name = Path(found["fileName"] or "songs")
    if follow:
        with FileProgress(name, hidden=as_json) as progress:
            found = wait_for(client, found, progress)
    outcome = Outcome(name, found)
    print_outcome(outcome, as_json=as_json)
    if follow and not outcome.stored:
        raise typer.Exit(FAILED)


@for_service
def download(
    client: Service,
    batch: BatchArgument,
    output: OutputOption = None,
    form: FormatOption = None,
) -> None:
    """Download a batch's results: each song's genre, confidence and probabilities.

    The results stay as they were, even if later batches classify the same songs.

    Examples:
      genregraph download QmF0Y2g6… -o genres.csv
      genregraph download QmF0Y2g6… -o genres.parquet
      genregraph download QmF0Y2g6… --format jsonl | jq .genre
    """
    target = output or STANDARD_OUTPUT
    check_output(target)
    save_results(client, batch, target, form)


def check_output(output: Path) -> None:
    """End the command if results cannot be written there."""
    if output == STANDARD_OUTPUT:
        if sys.stdout.isatty():  # titles can contain control characters
            fail("results cannot be printed to a terminal; name a file with -o", USAGE)
    elif output.is_dir() or not output.absolute().parent.is_dir():
        fail(f"--output: {output} is not a file in an existing folder", USAGE)


def save_results(client: Service, batch_id: str, output: Path, form: ResultFormat | None) -> None:
    """Write the results of a batch to a file atomically, or to standard output for `-`.

    Raises:
        NotReachedError, RefusedError: see `GraphQLClient.download`.
    """
    suffix = output.suffix.lower().removeprefix(".")
    extension = (form or (ResultFormat(suffix) if suffix in list(ResultFormat) else ResultFormat.CSV)).value
    if output == STANDARD_OUTPUT:
        client.download(batch_id, extension, sys.stdout.buffer)
        return
    # A pipe or device cannot be replaced.
    part = output if output.exists() and not output.is_file() else output.with_name(f"{output.name}.part")
    try:
        with part.open("wb") as file:
            client.download(batch_id, extension, file)
        part.replace(output)
    except OSError as error:
        fail(f"{output} cannot be written: {error.strerror}")
    finally:
        if part != output:
            part.unlink(missing_ok=True)


RECLASSIFY = """
mutation ReclassifySongs(
  $batchId: ID, $genre: String, $modelVersion: String, $all: Boolean, $minConfidence: Float!
) {
  reclassifySongs(
    batchId: $batchId, genre: $genre, modelVersion: $modelVersion, all: $all, minConfidence: $minConfidence
  ) { __typename ...batch }
}
"""


@for_service
def reclassify(  # noqa: PLR0913, PLR0917 - the options of the command
    client: Service,
    batch: Annotated[
        str | None, typer.Option(metavar="ID", help="Songs last classified by this batch.")
    ] = None,
    genre: Annotated[str | None, typer.Option(help="Songs of this genre.")] = None,
    model_version: Annotated[
        str | None, typer.Option(help="Songs last classified by this model version.")
    ] = None,
    all_songs: Annotated[bool, typer.Option("--all", help="All songs.")] = False,
    min_confidence: MinConfidenceOption = 0.0,
    wait: WaitOption = True,
    as_json: JsonOption = False,
) -> None:
    """Classify stored songs again with the current model (admins only).

    Songs must match every filter. A worker classifies them in the background and resumes after interruptions.
    Songs whose features were not kept (GENREGRAPH_KEEP_FEATURES) are unchanged.

    Examples:
      genregraph reclassify --all
      genregraph reclassify --genre metal --no-wait
    """
    filters = {"batchId": batch, "genre": genre, "modelVersion": model_version}
    if all_songs != all(value is None for value in filters.values()):
        fail("use --batch, --genre or --model-version, or --all", USAGE)
    from app.cli.results import Outcome, print_outcome
    from app.cli.sending import BATCH, FileProgress, wait_for

    name = Path("stored songs")
    variables = {**filters, "all": all_songs, "minConfidence": min_confidence}
    with FileProgress(name, hidden=as_json) as progress:
        result = client.execute(RECLASSIFY + BATCH, variables)["reclassifySongs"]
        if wait:
            result = wait_for(client, result, progress)
    outcome = Outcome(name, result)
    print_outcome(outcome, as_json=as_json)
    if not (outcome.stored or outcome.waiting):
        raise typer.Exit(FAILED)
