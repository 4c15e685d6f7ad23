"""Parse blocks of CSV records into songs, with a fast parser and an exact one.

pyarrow parses blocks with regular quotes. If it finds anything unusual, the exact parser reads the block
again cell by cell, and reports problems with line, column and value. The fast parser only accepts what the
exact parser would accept, with the same values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ml.songs.checks import SongRows, WrongCellError, check_rows, expected_number, parse_number, parse_numbers
from ml.songs.contract import MISSING_MARKERS, NUMBER_COLUMNS, TAGS, TITLE, TRACK_ID, NumberColumn, Songs
from ml.songs.csv_records import BOM, Block, UndoubledQuoteError
from ml.songs.header import ColumnPositions, clean_name
from ml.songs.problems import OnMissingValue, SongFileProblem, SongFileReport, shortened
from ml.songs.problems import SongFileProblemKind as Kind

_SMALL_BLOCK = 30
"""Smaller blocks use the exact parser directly: pyarrow takes as long to start."""

# Other spellings (`nUlL`, ` NA `) are not numbers to pyarrow, which leaves them to the exact parser.
_MARKERS = sorted({s for marker in MISSING_MARKERS for s in (marker, marker.upper(), marker.title(), "NaN")})

Read = tuple[Songs, SongFileReport]
"""The songs of a block, and its problems and counts except `rows`."""


def read_block(block: Block, columns: ColumnPositions, on_missing_value: OnMissingValue) -> Read:
    """Return the songs of a block, and the problems of its other records."""
    return read_fast(block, columns, on_missing_value) or read_exactly(block, columns, on_missing_value)


def read_fast(block: Block, columns: ColumnPositions, on_missing_value: OnMissingValue) -> Read | None:
    """Parse a block with pyarrow; None if it needs the exact parser."""
    if len(block) > _SMALL_BLOCK and block.regular and (rows := _parse(block, columns)) is not None:
        songs, report = check_rows(rows, on_missing_value)
        if not report.problems:
            return songs, report
    return None


def read_exactly(block: Block, columns: ColumnPositions, on_missing_value: OnMissingValue) -> Read:
    """Parse a block cell by cell, and report all problems."""
    split = [_split(block, index, columns) for index in range(len(block))]
    records = [cells for cells in split if isinstance(cells, list)]
    rows = SongRows(
        "Line",
        [line for line, cells in zip(block.lines, split, strict=True) if isinstance(cells, list)],
        track_ids=[record[columns.positions[TRACK_ID]] for record in records],
        titles=[record[columns.positions[TITLE]] for record in records],
        tags=[record[columns.positions[TAGS]] if TAGS in columns.positions else None for record in records],
        original=lambda row, column: records[row][columns.positions[column]],
        problems=[problem for problem in split if isinstance(problem, SongFileProblem)],
    )
    for row, record in enumerate(records):
        texts = [record[position] for position in columns.number_positions]
        rows.numbers[row, columns.number_indices] = parse_numbers(texts) or [
            _number(rows, row, NUMBER_COLUMNS[index], text)
            for index, text in zip(columns.number_indices, texts, strict=True)
        ]
    return check_rows(rows, on_missing_value)


def _split(block: Block, index: int, columns: ColumnPositions) -> list[str] | SongFileProblem:
    """Return the cells of a record, or the problem of the whole record."""
    line, record, names = block.lines[index], block.records[index], columns.names
    try:
        cells = block.record(index)
    except UndoubledQuoteError as error:
        return error.problem(line, names[error.position] if error.position < len(names) else None)
    if len(cells) == len(names):
        return _repeated_header(line, cells, columns) or cells
    hint = ""
    if len(record.splitlines()) > 1:
        hint = "; the row spans several lines, so a closing quote may be missing"
    elif len(cells) > len(names):
        hint = _surplus_hint(cells, cells[len(names) :])
    elif not record.endswith((b"\n", b"\r")):
        hint = "; the file ends here and may be truncated"
    noun = "cell" if len(cells) == 1 else "cells"
    message = f"Line {line} has {len(cells)} {noun}, the header {len(names)}{hint}."
    return SongFileProblem(Kind.RAGGED_ROW, message, line)


def _repeated_header(line: int, cells: Sequence[str], columns: ColumnPositions) -> SongFileProblem | None:
    """Return the one problem of a row that has the column names, as in files joined end to end."""
    name = cells[columns.positions[TRACK_ID]]
    if clean_name(name) != TRACK_ID or list(map(clean_name, cells)) != list(columns.names):
        return None
    message = f"Line {line} repeats the header. Delete it, or upload the files that were joined separately."
    return SongFileProblem(Kind.NOT_A_NUMBER, message, line, TRACK_ID, shortened(name))


def _surplus_hint(cells: Sequence[str], surplus: Sequence[str]) -> str:
    """Explain why a row may have more cells than the header."""
    if not any(map(str.strip, surplus)):
        return "; remove the commas at its end"
    if any(cell[0] in " \t" and cell.lstrip(" \t").startswith('"') for cell in cells if cell):
        return "; remove the spaces between commas and quotes"
    return "; text that contains commas must be in quotes"


def _number(rows: SongRows, row: int, column: NumberColumn, text: str) -> float:
    number = parse_number(text)
    if number is None:
        rows.add_problem(row, column.name, WrongCellError(Kind.NOT_A_NUMBER, expected_number(column)), text)
        return math.nan
    return number


def _parse(block: Block, columns: ColumnPositions) -> SongRows | None:
    """Parse a block with pyarrow; None if it finds an invalid number, or may have misread one."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import, and not needed at startup
    from pyarrow import csv  # noqa: PLC0415

    data = b"".join(block.records)
    if data.startswith(BOM):  # pyarrow would skip it
        return None
    texts = [columns.positions[name] for name in (TRACK_ID, TITLE, TAGS) if name in columns.positions]
    types = {str(position): pa.string() for position in texts}
    types |= {str(position): pa.float64() for position in columns.number_positions}
    names = [str(position) for position in range(len(columns.names))]
    try:
        table = csv.read_csv(
            pa.BufferReader(data),
            csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names),
            csv.ParseOptions(newlines_in_values=True),
            csv.ConvertOptions(
                check_utf8=False, column_types=types, include_columns=list(types), null_values=_MARKERS
            ),
        )
    except pa.ArrowInvalid:
        return None
    parsed = table.columns[len(texts) :]
    track_ids, titles, *tags = (column.to_pylist() for column in table.columns[: len(texts)])
    tags_or_none = tags[0] if tags else [None] * len(block)
    rows = SongRows("Line", block.lines, track_ids, titles, tags_or_none, lambda _row, _column: "")
    for index, column in zip(columns.number_indices, parsed, strict=True):
        rows.numbers[:, index] = column.to_numpy()
    missing = sum(column.null_count for column in parsed)
    # pyarrow reads `nan(x)` as NaN
    return rows if np.isnan(rows.numbers[:, columns.number_indices]).sum() == missing else None
