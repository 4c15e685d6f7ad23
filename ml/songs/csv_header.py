"""Read the header of a song CSV, or report what is there instead."""

from __future__ import annotations

from ml.songs.checks import WrongCellError, parse_number, parse_track_id
from ml.songs.columns import ColumnPositions, clean_name, column_problems, count_song_columns
from ml.songs.contract import TRACK_ID
from ml.songs.csv_records import Block, RecordReader, UndoubledQuoteError, UnreadableFileError, split_cells
from ml.songs.first_line import LINES_LOOKED_AT, is_separator_line, not_a_header, wrong_first_line
from ml.songs.problems import SongFileProblem
from ml.songs.problems import SongFileProblemKind as Kind

MAX_COLUMNS = 1_000
"""Limit of columns, including ignored ones; a song has 157."""

MAX_HEADER_BYTES = 64 * 2**10
"""Limit of the header line, which stays in memory."""


def read_header(records: RecordReader, *, all_needed: bool) -> tuple[str, ...]:
    """Read the header at the start of a file, and return the cleaned names of the columns.

    A `sep=` line above it and byte order marks are skipped. `all_needed` is whether all song columns are
    required.

    Raises:
        UnreadableFileError: the first line is not the header of a song file.
    """
    line, text = _next_line(records)
    separator_line = None
    if is_separator_line(text):
        separator_line = line, text
        line, text = _next_line(records)
    names, undoubled = list[str](), None
    try:
        names = [clean_name(name) for name in split_cells(text)]
    except UndoubledQuoteError as error:
        undoubled = error
    if len(names) > MAX_COLUMNS:
        message = f"Line {line}: the header has {len(names):,} columns; the limit is {MAX_COLUMNS:,}."
        raise UnreadableFileError(SongFileProblem(Kind.TOO_MANY_COLUMNS, message, line))
    problems = column_problems(names, f"Line {line}: the header", line, all_needed=all_needed)
    if not problems:
        return tuple(names)
    problem = wrong_first_line([(line, text), *_next_lines(records)], separator_line=separator_line)
    if problem is not None:
        raise UnreadableFileError(problem)
    if undoubled is not None:
        raise UnreadableFileError(undoubled.problem(line))
    renamed = any("; it has" in problem.message for problem in problems)
    if not count_song_columns(names) and not renamed:
        raise UnreadableFileError(not_a_header(line, text))
    raise UnreadableFileError(*problems)


def _next_line(records: RecordReader) -> tuple[int, str]:
    block = records.take(1)
    if block is None:
        raise UnreadableFileError(SongFileProblem(Kind.EMPTY_FILE, "The file is empty."))
    line, text = block.lines[0], block.text(0)
    if len(text.encode()) > MAX_HEADER_BYTES:
        message = f"The header on line {line} is longer than {MAX_HEADER_BYTES // 2**10} KiB."
        raise UnreadableFileError(SongFileProblem(Kind.ROW_TOO_LONG, message, line))
    return line, text.lstrip("\ufeff")  # byte order marks


def _next_lines(records: RecordReader) -> list[tuple[int, str]]:
    """Return some lines after the first, to guess the format; none if they cannot be read."""
    try:
        block = records.take(LINES_LOOKED_AT) or Block()
    except UnreadableFileError:
        return []
    return [(line, block.text(index)[:MAX_HEADER_BYTES]) for index, line in enumerate(block.lines)]


def check_row_names(block: Block, columns: ColumnPositions) -> None:
    """Refuse a table written by R with row names, for which the header has no cell.

    Raises:
        UnreadableFileError: each of the first rows has an extra first cell, and is a song without it.
    """
    width = len(columns.names)
    for index in range(min(len(block), LINES_LOOKED_AT)):
        try:
            cells = block.record(index)
            if len(cells) != width + 1 or parse_track_id(cells[columns.of[TRACK_ID] + 1]) is None:
                return
        except (UndoubledQuoteError, WrongCellError):
            return
        if any(parse_number(cells[position + 1]) is None for position in columns.numbers):
            return
    line = block.lines[0]
    message = (
        f"Line {line} has {width + 1} cells, the header {width}, and starts with {block.text(0)[:60]!r}: "
        "this looks like a table of R with row names. Write it with row.names = FALSE."
    )
    raise UnreadableFileError(SongFileProblem(Kind.RAGGED_ROW, message, line))
