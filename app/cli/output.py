"""Print rows as tables, CSV or JSON, and errors, to streams that never end a command."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import reduce
from importlib.util import find_spec
from itertools import chain
from operator import getitem
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, cast

import typer

from ml.errors import UserError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress, ProgressColumn
    from rich.table import Column

FAILED = 1
USAGE = 2
NOT_REACHED = 3
INTERRUPTED = 130
"""Exit codes; the last is the shell convention for Ctrl-C."""

_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, bidirectional overrides, and surrogates, which stand for invalid UTF-8."""

_UNLIMITED = 1_000_000
"""Width of tables that are not printed on a terminal."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun in the singular or plural."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def fail(message: str, code: int = FAILED) -> NoReturn:
    """End the command with an error and an exit code."""
    error = UserError(message)
    error.exit_code = code
    raise error


def print_failure(error: UserError) -> None:
    """Print the error that ends the command."""
    print_error(f"genregraph: {error}")


def print_error(message: str) -> None:
    """Print a line to standard error, in red on a terminal."""
    # Typer already omits colours if standard error is not a terminal.
    color = False if os.environ.get("NO_COLOR") else None
    typer.secho(plain(message), err=True, fg=typer.colors.RED, color=color)


def require_extra(*packages: str, extra: str) -> None:
    """End the command with one line if a package of an optional extra is not installed."""
    for package in packages:
        if find_spec(package) is None:
            fail(
                f"this needs {package}, of the extra {extra}: pip install 'genregraph[{extra}]', or in a "
                "checkout: make setup"
            )


def program() -> str:
    """Return how to call genregraph again: by its name if that is on the PATH, else as it was called."""
    called = sys.argv[0]
    return called if Path(called).name == "genregraph" and not which("genregraph") else "genregraph"


def plain(text: str) -> str:
    """Return a text with control characters escaped."""
    return _HARMFUL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def one_line(text: str) -> str:
    """Return a text with line breaks and tabs escaped, which would break a table or pretend to be output."""
    return text.replace("\n", "\\n").replace("\t", "\\t")


def shown(text: object) -> str:
    """Return a text that Rich prints unchanged."""
    from rich.markup import escape

    return escape(plain(str(text)))


def print_line(text: str, *, err: bool = False) -> None:
    """Print a line without wrapping it."""
    typer.echo(plain(text), err=err)


def print_json(value: Any) -> None:
    """Print JSON, with control characters and characters outside the encoding escaped."""
    typer.echo(_json(value))


def print_rows(
    columns: Mapping[str, str],
    nodes: Iterable[Mapping[str, Any]],
    *,
    as_json: bool = False,
    as_csv: bool = False,
) -> None:
    """Print nodes of a response, one per row, as a table, or as CSV or a JSON list as they arrive.

    `columns` are names with the field of each: `genre.name` is a nested field.
    """
    if as_json and as_csv:
        fail("--json and --csv cannot be combined", USAGE)
    paths = [path.split(".") for path in columns.values()]
    rows = ([reduce(getitem, path, node) for path in paths] for node in nodes)
    if as_csv:
        for row in chain([columns], rows):
            sys.stdout.write(_csv_line(row))
    elif as_json:
        separator = "["
        for row in rows:
            sys.stdout.write(f"{separator}\n{_json(dict(zip(columns, row, strict=True)))}")
            separator = ","
        sys.stdout.write("[]\n" if separator == "[" else "\n]\n")
    else:
        print_table(columns, rows)


def print_table(
    columns: Iterable[str | Column], rows: Iterable[Iterable[object]], *, err: bool = False, **style: Any
) -> None:
    """Print a table with numbers right-aligned; cells can also be Rich renderables.

    No text is cut. It is wrapped at the width of a terminal, if it is printed on one.

    `style` are attributes of the Rich table.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, **style)
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        for column, cell in zip(table.columns, row, strict=True):
            if isinstance(cell, int | float) and not isinstance(cell, bool):
                column.justify = "right"
        table.add_row(*map(_cell, row))
    console = Console(stderr=err)
    if not console.is_terminal:
        console.width = _UNLIMITED
    console.print(table)


def progress(*columns: ProgressColumn) -> Progress:
    """Return a progress display on standard error; it is hidden unless that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _cell(value: object) -> RenderableType:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.2f}"
        case str():
            return shown(one_line(value))
        case _:
            return cast("RenderableType", value)


def _csv_line(row: Iterable[object]) -> str:
    line = io.StringIO()
    cells = (json.dumps(cell) if isinstance(cell, bool) else cell for cell in row)
    csv.writer(line, lineterminator="\n").writerow(cells)
    # Only a terminal interprets control characters; programs get them unchanged.
    return plain(line.getvalue()) if sys.stdout.isatty() else line.getvalue()


def _json(value: Any) -> str:
    ascii_only = not (sys.stdout.encoding or "").lower().startswith("utf")
    text = json.dumps(value, ensure_ascii=ascii_only, indent=2, default=datetime.isoformat)
    return _HARMFUL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class _Stream(io.FileIO):
    """A file descriptor whose writes never fail, even if it is closed; `error` says why they were lost."""

    error: OSError | None = None

    def write(self, data: object) -> int:
        """Write bytes, and always report all as written."""
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            self.error = self.error or error
            return len(memoryview(data))  # type: ignore[arg-type]


class Output:
    """The standard streams of a command, which replace Python's."""

    def __init__(self) -> None:
        """Replace the streams. Open the null device for closed descriptors, so that no other file gets them.

        It is opened for reading, so writes fail as if the descriptor were still closed.
        """
        for descriptor in range(3):
            try:
                os.fstat(descriptor)
            except OSError:
                os.open(os.devnull, os.O_RDONLY)
        if sys.stdin is None:
            sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as the process
        self._written = _Stream(1, "w", closefd=False)
        sys.stdout = _text(self._written, sys.stdout)
        sys.stderr = _text(_Stream(2, "w", closefd=False), sys.stderr, line_buffering=True)

    def lost(self) -> str | None:
        """Return why output was lost; None if it was not, or if the reader of a pipe ended early."""
        sys.stdout.flush()
        error = self._written.error
        if error is None or error.errno == errno.EPIPE:
            return None
        return "standard output is closed" if error.errno == errno.EBADF else error.strerror


def _text(stream: _Stream, before: TextIO | None, *, line_buffering: bool = False) -> io.TextIOWrapper:
    """Return a stream like the previous one that escapes characters outside its encoding."""
    return io.TextIOWrapper(
        io.BufferedWriter(stream),
        encoding="utf-8" if before is None else before.encoding,
        errors="backslashreplace",
        line_buffering=line_buffering or stream.isatty(),
    )
