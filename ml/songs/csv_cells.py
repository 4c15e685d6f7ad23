"""Parse blocks of CSV records into songs, with a fast parser and an exact one.

pandas parses blocks whose records all have the header's number of cells and regular quotes. If anything
looks unusual, the exact parser reads the block again cell by cell, and reports problems with line, column and
value. The fast parser only accepts what the exact parser would accept, with the same values.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np

from ml.songs.checks import (
    CheckedRows,
    SongRows,
    WrongCellError,
    check_rows,
    expected_number,
    read_number,
    read_ordinary_numbers,
)
from ml.songs.columns import ColumnPositions
from ml.songs.contract import MISSING_MARKERS, NUMBER_COLUMNS, TAGS, TITLE, TRACK_ID, NumberColumn
from ml.songs.csv_records import BOM, Block, UndoubledQuoteError
from ml.songs.problems import OnMissingValue, SongFileProblem, SongFileProblemKind

_SMALL_BLOCK = 100
"""Smaller blocks use the exact parser directly: pandas takes as long to start."""

# Other spellings (`nUlL`, ` NA `) are not numbers to pandas, which leaves them to the exact parser.
_PANDAS_MARKERS = sorted(
    {s for marker in MISSING_MARKERS for s in (marker, marker.upper(), marker.title(), "NaN")}
)


def read_block(block: Block, columns: ColumnPositions, on_missing_value: OnMissingValue) -> CheckedRows:
    """Return the songs of a block, and the problems of its other records."""
    checked = read_fast(block, columns, on_missing_value)
    return read_exactly(block, columns, on_missing_value) if checked is None else checked


def read_fast(block: Block, columns: ColumnPositions, on_missing_value: OnMissingValue) -> CheckedRows | None:
    """Parse a block with pandas; None if it needs the exact parser."""
    if len(block) <= _SMALL_BLOCK or not _is_plain(block, columns):
        return None
    rows = _parse(block, columns)
    if rows is None or _has_truth_values(rows, block, columns):
        return None
    checked = check_rows(rows, on_missing_value)
    return None if checked.problems else checked


def read_exactly(block: Block, columns: ColumnPositions, on_missing_value: OnMissingValue) -> CheckedRows:
    """Parse a block cell by cell, and report all problems."""
    return check_rows(_rows_of_cells(block, columns), on_missing_value)


def _rows_of_cells(block: Block, columns: ColumnPositions) -> SongRows:
    """Split a block into cells, and collect problems of records and numbers."""
    lines: list[int] = []
    records: list[list[str]] = []
    problems: list[SongFileProblem] = []
    for index in range(len(block)):
        found = _split(block, index, columns.names)
        if isinstance(found, SongFileProblem):
            problems.append(found)
        else:
            lines.append(int(block.lines[index]))
            records.append(found)
    rows = SongRows(
        "Line",
        lines,
        track_ids=[record[columns.of[TRACK_ID]] for record in records],
        titles=[record[columns.of[TITLE]] for record in records],
        tags=[record[columns.of[TAGS]] if TAGS in columns.of else None for record in records],
        numbers=np.full((len(records), len(NUMBER_COLUMNS)), np.nan),
        shown=lambda row, column: records[row][columns.of[column]],
        problems=problems,
    )
    for row, record in enumerate(records):
        texts = [record[position] for position in columns.numbers]
        rows.numbers[row, columns.present] = read_ordinary_numbers(texts) or [
            _number(rows, row, NUMBER_COLUMNS[index], text)
            for index, text in zip(columns.present, texts, strict=True)
        ]
    return rows


def _split(block: Block, index: int, names: Sequence[str]) -> list[str] | SongFileProblem:
    """Return the cells of a record, or the problem of the whole record."""
    line = int(block.lines[index])
    try:
        cells = block.record(index)
    except UndoubledQuoteError as error:
        return error.problem(line, names[error.cell] if error.cell < len(names) else None)
    if len(cells) == len(names):
        return cells
    hint = ""
    if block.spans_lines(index):
        hint = "; the row spans several lines, so a quote may not be closed"
    elif block.ends_file(index):
        hint = "; the file ends here and may be truncated"
    elif len(cells) > len(names):
        hint = "; a text with a comma may not be quoted"
    noun = "cell" if len(cells) == 1 else "cells"
    message = f"Line {line} has {len(cells)} {noun}, the header {len(names)}{hint}."
    return SongFileProblem(SongFileProblemKind.RAGGED_ROW, message, line=line)


def _number(rows: SongRows, row: int, column: NumberColumn, text: str) -> float:
    number = read_number(text)
    if number is None:
        error = WrongCellError(SongFileProblemKind.NOT_A_NUMBER, expected_number(column))
        rows.add_problem(row, column.name, error, text)
        return math.nan
    return number


_LINE_BLANKS = np.frombuffer(b" \t", np.uint8)


def _is_plain(block: Block, columns: ColumnPositions) -> bool:
    """Return whether pandas splits this block into the same cells."""
    if block.cells is None or (block.cells != len(columns.names)).any():
        return False
    # pandas skips spaces at the start of a line, and a byte order mark at the start of its input.
    first_bytes = np.frombuffer(block.data, np.uint8)[block.starts]
    return not (np.isin(first_bytes, _LINE_BLANKS).any() or block.data.startswith(BOM))


def _wrapped(cell: str) -> tuple[str]:
    """Wrap a text, so that pandas does not read the title `None` as a missing value."""
    return (cell,)


def _parse(block: Block, columns: ColumnPositions) -> SongRows | None:
    """Parse a block with pandas; None if it finds an invalid number, or may have misread one."""
    import pandas as pd  # noqa: PLC0415 - slow to import, and not needed at startup

    texts = [columns.of[name] for name in (TRACK_ID, TITLE, TAGS) if name in columns.of]
    try:
        frame: pd.DataFrame = pd.read_csv(
            io.BytesIO(block.data),
            engine="c",
            header=None,
            names=range(len(columns.names)),
            usecols=sorted([*texts, *columns.numbers]),
            index_col=False,
            dtype=dict.fromkeys(columns.numbers, np.dtype(np.float64)),
            converters=dict.fromkeys(texts, _wrapped),
            keep_default_na=False,
            na_values=_PANDAS_MARKERS,  # a dict by column would be very slow
            low_memory=False,
        )
    except (ValueError, OverflowError):  # includes pandas' ParserError
        return None
    if len(frame) != len(block):
        return None
    numbers = np.full((len(block), len(NUMBER_COLUMNS)), np.nan)
    numbers[:, columns.present] = frame[columns.numbers].to_numpy(np.float64)
    track_ids, titles, *tags = ([cell for (cell,) in frame[position]] for position in texts)
    return SongRows(
        "Line",
        block.lines.tolist(),
        track_ids,
        titles,
        tags[0] if tags else [None] * len(block),
        numbers,
        shown=lambda _row, _column: "",
    )


def _has_truth_values(rows: SongRows, block: Block, columns: ColumnPositions) -> bool:
    """Return whether a column has only `True` and `False`, which pandas reads as 1 and 0.

    pandas only does this if all cells of a column are, so one cell per column is enough.
    """
    numbers = rows.numbers[:, columns.present]
    missing = np.isnan(numbers)
    suspects = np.flatnonzero(((numbers == 0) | (numbers == 1) | missing).all(axis=0) & ~missing.all(axis=0))
    first_rows = np.argmin(missing[:, suspects], axis=0)
    for row in set(first_rows.tolist()):
        cells = block.record(row)
        if any(read_number(cells[columns.numbers[column]]) is None for column in suspects[first_rows == row]):
            return True
    return False
