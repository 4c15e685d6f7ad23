"""Upload a song file and wait for its batch, with progress on standard error."""

from __future__ import annotations

import errno
import io
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from app.cli.client import GraphQLClient, RefusedError
from app.cli.output import INTERRUPTED, fail, shown
from app.cli.results import UNFINISHED

BATCH = """
fragment batch on Batch {
  id fileName status error waitingReason rowsProcessed createdAt resultsUntil songsSuperseded
  rowsUploaded rowsWithMissingValues rowsInvalid rowsDuplicated rowsUncertain
  rowsClassified rowsClassifiedWithMissingValues
  minConfidence model { version }
  genres { genre { name } songCount }
  problemCount problems(first: 100) { line column value message }
}
"""

CLASSIFY_BATCH = (
    """
mutation ClassifyBatch($file: Upload!, $options: ClassifyBatchOptions) {
  classifyBatch(file: $file, options: $options) {
    __typename
    ... on Batch { ...batch }
    ... on Error { message code }
    ... on InvalidSongFile { problemCount problems(first: 100) { line column value message } }
  }
}
"""
    + BATCH
)

BATCH_BY_ID = "query Batch($id: ID!) { batch(id: $id) { __typename ...batch } }" + BATCH

POLL_SECONDS = 0.5


class FileProgress(Progress):
    """Shows the progress of a file on a terminal while the context lasts."""

    def __init__(self, path: Path, *, hidden: bool = False) -> None:
        """Create the progress of a file; `hidden` shows nothing on a terminal either."""
        console = Console(stderr=True)
        super().__init__(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[amount]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=hidden or not console.is_terminal,
        )
        self._name = shown(path.name)
        self.add_task("", total=None, amount="")

    def uploaded(self, sent: int, size: int) -> None:
        """Show how many bytes were sent; after the last, show that the file is being classified."""
        if sent < size:
            self._show("uploading", sent, size, f"{decimal(sent)} of {decimal(size)}")
        else:
            self._show("classifying", 0, None, "")

    def classified(self, batch: Mapping[str, Any]) -> None:
        """Show how many rows of a batch have been processed."""
        rows, total = batch["rowsProcessed"], batch["rowsUploaded"]
        self._show("classifying", rows, total or None, f"{rows:,} of {total:,} rows" if total else "")

    def _show(self, doing: str, done: int, total: int | None, amount: str) -> None:
        (task,) = self.tasks
        task.total = total  # `update` takes None for no change
        self.update(task.id, description=f"{doing} {self._name}", completed=done, amount=amount)


class _WatchedFile(io.FileIO):
    """A file that reports how much of it has been read."""

    def __init__(self, path: Path, progress: FileProgress) -> None:
        super().__init__(path)
        self._size = path.stat().st_size
        self._progress = progress
        progress.uploaded(0, self._size)
        progress.refresh()

    def read(self, size: int | None = -1) -> bytes:
        """Read bytes.

        Raises:
            OSError: the size of the file changed, so the announced Content-Length is wrong.
        """
        data = super().read(size)
        at = self.tell()
        if at > self._size or (not data and at < self._size):
            raise OSError(errno.EIO, "it changed while it was being sent")
        self._progress.uploaded(at, self._size)
        return data


def upload(
    client: GraphQLClient, path: Path, options: Mapping[str, Any], *, wait: bool = True, quiet: bool = False
) -> dict[str, Any]:
    """Upload a file with `ClassifyBatchOptions`, show its progress, and return the mutation's result.

    With `wait`, wait until a background batch ends.

    Raises:
        NotReachedError, RefusedError: see `GraphQLClient`.
        OSError: the file cannot be read.
    """
    # The service gets replacement characters for invalid UTF-8.
    name = path.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    with FileProgress(path, hidden=quiet) as progress, _WatchedFile(path, progress) as file:
        data = client.upload(CLASSIFY_BATCH, {"options": options}, file=file, name=name)
        result: dict[str, Any] = data["classifyBatch"]
        return wait_for(client, result, progress) if wait else result


def wait_for(client: GraphQLClient, batch: dict[str, Any], progress: FileProgress) -> dict[str, Any]:
    """Follow a batch until it ends, and return it; return a refusal unchanged.

    On Ctrl-C, print how to continue, and end the command.

    Raises:
        NotReachedError, RefusedError: see `GraphQLClient`.
    """
    try:
        while batch.get("status") in UNFINISHED:
            batch_id = batch["id"]
            found = client.execute(BATCH_BY_ID, {"id": batch_id})["batch"]
            if found is None:
                raise RefusedError(f"the service does not know the batch {batch_id} any more")
            batch = found
            progress.classified(batch)
            if batch["status"] in UNFINISHED:
                time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        fail(
            f"interrupted; the batch continues in the background.\n"
            f"Follow it: genregraph batch {batch['id']} --follow\n"
            f"Stop it:   genregraph batch {batch['id']} --cancel",
            INTERRUPTED,
        )
    return batch
