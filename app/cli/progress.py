"""Progress on standard error: of a file that is uploaded and classified, or of work in steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from app.cli.shown import shown


class FileProgress:
    """Shows how far a file is."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._name = shown(name)
        self._doing = ""
        self._task: TaskID | None = None

    def uploaded(self, sent: int, size: int) -> None:
        """Show how many of the file's bytes are sent; all of them: it is being classified."""
        self._show("uploading", sent, size, f"{decimal(sent)} of {decimal(size)}")
        if sent >= size:
            self._show("classifying", 0, None, "")

    def classified(self, rows: int, of: int) -> None:
        """Show how many of the file's rows the service has dealt with."""
        self._show("classifying", rows, of or None, f"{rows:,} of {of:,} rows" if of else "")

    def _show(self, doing: str, done: int, total: int | None, amount: str) -> None:
        if self._task is None or doing != self._doing:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._doing = doing
            self._task = self._progress.add_task(f"{doing} {self._name}", total=None, amount="")
        self._progress.update(self._task, completed=done, total=total, amount=amount)


@contextmanager
def file_progress(path: Path, *, hidden: bool = False) -> Iterator[FileProgress]:
    """Show a file's progress while the context lasts; nothing where nobody looks.

    Args:
        path: the file, of which the name is shown.
        hidden: show nothing on a terminal either.
    """
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[amount]}"),
        TimeElapsedColumn(),
    )
    disable = hidden or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=disable) as progress:
        yield FileProgress(progress, path.name)


class WatchedFile:
    """A binary file that tells of its reading, as far as an upload needs it."""

    def __init__(self, file: BinaryIO, size: int, on_read: Callable[[int, int], None]) -> None:
        """Watch a file.

        Args:
            file: open for reading.
            size: its bytes.
            on_read: takes bytes read and bytes in all.
        """
        self._file = file
        self._size = size
        self._on_read = on_read

    def read(self, size: int = -1) -> bytes:
        """Read bytes."""
        data = self._file.read(size)
        self._on_read(self._file.tell(), self._size)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go elsewhere in the file."""
        return self._file.seek(offset, whence)

    def fileno(self) -> int:
        """Return the descriptor, by which a client finds the size."""
        return self._file.fileno()


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int, str], None]]:
    """Show a bar while the context lasts; give a function that takes steps done, all steps, what is next."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)

        def show(done: int, total: int, what: str) -> None:
            progress.update(task, completed=done, total=total, description=shown(what))

        yield show
