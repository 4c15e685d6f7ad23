"""Rows on standard output: a table for people, CSV or JSON for programs."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence
from itertools import chain

from app.cli.failure import USAGE, fail
from app.cli.shown import as_json as to_json
from app.cli.shown import plain, shown


def print_rows(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, as_json: bool = False, as_csv: bool = False
) -> None:
    """Print rows; CSV and JSON as they come.

    Args:
        columns: their names.
        rows: each has a value for each column.
        as_json: print a list of objects.
        as_csv: print CSV with a header.
    """
    if as_json and as_csv:
        fail("--json and --csv cannot be combined", USAGE)
    if as_csv:
        for row in chain((columns,), rows):
            sys.stdout.write(_csv_line(row))
    elif as_json:
        separator = "["
        for row in rows:
            sys.stdout.write(f"{separator}\n{to_json(dict(zip(columns, row, strict=True)))}")
            separator = ","
        sys.stdout.write("[]\n" if separator == "[" else "\n]\n")
    else:
        _print_table(columns, rows)


def _csv_line(row: Sequence[object]) -> str:
    line = io.StringIO()
    cells = (json.dumps(cell) if isinstance(cell, bool) else cell for cell in row)
    csv.writer(line, lineterminator="\n").writerow(cells)
    # A terminal obeys control characters, which a program may want as they are.
    return plain(line.getvalue()) if sys.stdout.isatty() else line.getvalue()


def _print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns)
    for row in rows:
        for column, cell in zip(table.columns, row, strict=True):
            if isinstance(cell, int | float) and not isinstance(cell, bool):
                column.justify = "right"
        table.add_row(*map(_cell, row))
    Console().print(table)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.2f}"
        case _:
            return shown(value)
