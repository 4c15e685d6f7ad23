"""Sending one song file to a service and waiting for what comes of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

from app.cli.client import GraphQLClient, NotReachedError, NotStreamedError, RefusedError
from app.cli.failure import INTERRUPTED, fail
from app.cli.progress import FileProgress, WatchedFile, file_progress

BATCH = """
fragment batch on Batch {
  id fileName status error waitingReason rowsProcessed createdAt resultsUntil songsSuperseded
  rowsUploaded rowsWithMissingValues rowsInvalid rowsDuplicated rowsUncertain
  rowsClassified rowsClassifiedWithMissingValues
  minConfidence model { version }
  genres { genre { name } songCount }
  problemCount problems(first: $problems) { line column value message }
}
"""

CLASSIFY_BATCH = (
    """
mutation ClassifyBatch($file: Upload!, $options: ClassifyBatchOptions, $problems: Int!) {
  classifyBatch(file: $file, options: $options) {
    __typename
    ... on Batch { ...batch }
    ... on Error { message code }
    ... on InvalidSongFile { problemCount problems(first: $problems) { line column value message } }
  }
}
"""
    + BATCH
)

BATCH_BY_ID = (
    """
query Batch($id: ID!, $problems: Int!) {
  batch(id: $id) { __typename ...batch }
}
"""
    + BATCH
)

BATCH_PROGRESS = """
subscription BatchProgress($id: ID!) {
  batchProgress(id: $id) { status rowsUploaded rowsProcessed }
}
"""

ROWS_PROCESSED = """
query RowsProcessed($id: ID!) {
  batch(id: $id) { status rowsUploaded rowsProcessed }
}
"""

MAX_PROBLEMS = 100
UNFINISHED = frozenset({"QUEUED", "RUNNING", "WAITING"})
POLL_SECONDS = 1.0


def upload(
    client: GraphQLClient, path: Path, options: Mapping[str, Any], *, wait: bool = True, quiet: bool = False
) -> dict[str, Any]:
    """Send one file, showing its progress, and return the mutation's result.

    Args:
        client: whom to ask.
        path: the file.
        options: `ClassifyBatchOptions`.
        wait: return a batch that the service classifies in the background only when it has ended.
        quiet: show no progress.

    Raises:
        NotReachedError, RefusedError: see `GraphQLClient`.
        OSError: the file cannot be read.
    """
    with file_progress(path, hidden=quiet) as progress, path.open("rb") as file:
        watched = WatchedFile(file, path.stat().st_size, progress.uploaded)
        data = client.upload(
            CLASSIFY_BATCH,
            {"options": options, "problems": MAX_PROBLEMS},
            variable="file",
            file=cast("BinaryIO", watched),
            name=readable_name(path),
        )
        result: dict[str, Any] = data["classifyBatch"]
        if wait and result["__typename"] == "Batch" and result["status"] in UNFINISHED:
            return wait_for(client, result["id"], progress)
    return result


def readable_name(path: Path) -> str:
    """Return a file's name with replacements for bytes that are no UTF-8."""
    return path.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def wait_for(
    client: GraphQLClient,
    batch_id: str,
    progress: FileProgress,
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Follow a batch to its end and return it. Ctrl-C ends the command, and says how to go on.

    Raises:
        NotReachedError, RefusedError: see `GraphQLClient`.
    """
    try:
        return _followed(client, batch_id, progress, pause)
    except KeyboardInterrupt:
        fail(
            f"interrupted; the batch continues in the background.\n"
            f"Follow it: genregraph batch {batch_id} --follow\n"
            f"Stop it:   genregraph batch {batch_id} --cancel",
            INTERRUPTED,
        )


def _followed(
    client: GraphQLClient, batch_id: str, progress: FileProgress, pause: Callable[[float], None]
) -> dict[str, Any]:
    """Return a batch at its end; by its events if the service streams them, else by asking."""
    streams = True
    while True:
        if streams:
            try:
                for event in client.subscribe(BATCH_PROGRESS, {"id": batch_id}):
                    _show(progress, event["batchProgress"])
            except NotStreamedError:
                streams = False
            except NotReachedError:
                pass  # asked below, where it is tried again
        state = client.execute(ROWS_PROCESSED, {"id": batch_id})["batch"]
        if state is None:
            raise RefusedError(f"the service does not know the batch {batch_id} any more")
        _show(progress, state)
        if state["status"] not in UNFINISHED:
            variables = {"id": batch_id, "problems": MAX_PROBLEMS}
            return dict(client.execute(BATCH_BY_ID, variables)["batch"])
        pause(POLL_SECONDS)


def _show(progress: FileProgress, batch: Mapping[str, Any]) -> None:
    progress.classified(batch["rowsProcessed"], batch["rowsUploaded"])
