"""`genregraph download`, and how results get into files."""

from __future__ import annotations

import sys
from pathlib import Path

from app.cli.options import BatchArgument, FormatOption, OutputOption, ResultFormat, Service, for_service
from app.cli.output import USAGE, fail

STANDARD_OUTPUT = Path("-")


@for_service
def download(
    client: Service,
    batch: BatchArgument,
    output: OutputOption = None,
    form: FormatOption = None,
) -> None:
    """Download a batch's results: each song's genre, confidence and probabilities.

    The results stay as they were, even if later batches classify the same songs.

    Exit codes: 0 written, 1 no such batch or results expired, 2 usage error, 3 unreachable or access denied.

    Examples:
      genregraph download QmF0Y2g6… -o genres.csv
      genregraph download QmF0Y2g6… -o genres.parquet
      genregraph download QmF0Y2g6… --format jsonl | jq .genre
    """
    target = output or STANDARD_OUTPUT
    check_output(target)
    save_results(client, batch, target, form)


def check_output(output: Path) -> None:
    """End the command if results cannot be written there, before anything is sent."""
    if output == STANDARD_OUTPUT:
        if sys.stdout.isatty():  # which would obey control characters in titles
            fail("results cannot be printed to a terminal; name a file with -o", USAGE)
    elif output.is_dir() or not output.absolute().parent.is_dir():
        fail(f"--output: {output} is not a file in an existing folder", USAGE)


def save_results(client: Service, batch_id: str, output: Path, form: ResultFormat | None) -> None:
    """Write what a batch answered to a file, whole or not at all, or to standard output for `-`.

    Raises:
        NotReachedError, RefusedError: see `GraphQLClient.download`.
    """
    suffix = output.suffix.lower().removeprefix(".")
    extension = (form or (ResultFormat(suffix) if suffix in list(ResultFormat) else ResultFormat.CSV)).value
    if output == STANDARD_OUTPUT:
        client.download(batch_id, extension, sys.stdout.buffer)
        return
    # What is no regular file, such as a pipe, cannot be replaced.
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
