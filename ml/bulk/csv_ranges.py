"""Cutting a large song CSV between records, so that several processes can read it.

A first pass finds where records start, without a look into their cells. It tells for each range the
physical line on which it starts, so that problems keep their line numbers wherever the file is cut.
"""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from ml.csv_records import START, FilePosition, RecordReader, UnreadableFileError
from ml.song_file import OnInvalidRow, SongFile, SongFileState, TooManyRowsError
from ml.song_file_problems import SongFileProblem


@dataclass(frozen=True, slots=True)
class CsvRange:
    """Some whole records of a song CSV.

    Attributes:
        position: where the first of them starts.
        length: bytes up to the end of the last.
        rows_before: rows of the file before the first.
    """

    position: FilePosition
    length: int
    rows_before: int


@dataclass(frozen=True, slots=True)
class CsvCursor:
    """How far the first pass got: where to go on, in another process.

    Attributes:
        position: where the first row starts that was in no range yet.
        header: the names of the columns.
        rows_before: rows of the file before that one.
    """

    position: FilePosition
    header: tuple[str, ...]
    rows_before: int = 0


@dataclass(frozen=True, slots=True)
class CsvRanges:
    """A stretch of the first pass.

    Attributes:
        header: the names of the columns.
        ranges: what was found, in order.
        rest: where to go on; None if the file ends here.
        problem: why the file cannot be read on, if so.
    """

    header: tuple[str, ...]
    ranges: list[CsvRange]
    rest: CsvCursor | None = None
    problem: SongFileProblem | None = None


@dataclass(frozen=True, slots=True)
class CsvLimits:
    """How large ranges are, and how many bytes one stretch of the first pass reads, about."""

    range_rows: int = 4_000
    range_bytes: int = 8 * 2**20
    stretch_bytes: int = 256 * 2**20


DEFAULT_LIMITS = CsvLimits()

_STEP_ROWS = 500
"""Bytes are looked at after so many rows, or fewer where rows are large."""


def find_csv_ranges(
    file: BinaryIO, name: str, cursor: CsvCursor | None = None, limits: CsvLimits = DEFAULT_LIMITS
) -> CsvRanges:
    """Cut the next stretch of a song CSV into ranges of whole records.

    Args:
        file: seekable.
        name: of the file; it has to end in `.csv`.
        cursor: where the stretch before this one ended; None at the start of the file.
        limits: a range has at least one record and ends at the first limit that it reaches.

    Raises:
        InvalidSongFileError: the file is no song file: its name, its header, no rows.
    """
    if cursor is None:
        cursor = _after_header(file, name)
    file.seek(cursor.position.offset)
    records = RecordReader(file, cursor.position)
    ranges: list[CsvRange] = []
    start, before, rows = cursor.position, cursor.rows_before, 0
    stretch_end = start.offset + limits.stretch_bytes
    try:
        while (block := records.take(min(_STEP_ROWS, limits.range_rows - rows))) is not None:
            rows += len(block)
            here = records.position
            length = here.offset - start.offset
            if rows >= limits.range_rows or length >= limits.range_bytes:
                ranges.append(CsvRange(start, length, before))
                start, before, rows = here, before + rows, 0
                if here.offset >= stretch_end:
                    return CsvRanges(cursor.header, ranges, CsvCursor(here, cursor.header, before))
    except UnreadableFileError as error:
        if rows:
            ranges.append(CsvRange(start, records.position.offset - start.offset, before))
        return CsvRanges(cursor.header, ranges, problem=error.problem)
    if rows:
        ranges.append(CsvRange(start, records.position.offset - start.offset, before))
    return CsvRanges(cursor.header, ranges)


def _after_header(file: BinaryIO, name: str) -> CsvCursor:
    song_file = SongFile(file, name=name, chunk_rows=2, max_rows=1)
    with suppress(TooManyRowsError):  # the header is a song file's, and there are rows after it
        song_file.count_rows()
    header = song_file.state.header
    assert header is not None  # or it would have been refused
    file.seek(START.offset)
    records = RecordReader(file)
    records.take(1)
    return CsvCursor(records.position, header)


def song_file_of_range(data: bytes, name: str, header: tuple[str, ...], position: FilePosition) -> SongFile:
    """Return the song file of one range, whose report has the line numbers of the whole file.

    Args:
        data: the bytes of the range.
        name: of the whole file.
        header: the names of its columns.
        position: where the range starts.
    """
    state = SongFileState(position, header)
    return SongFile(io.BytesIO(data), name=name, on_invalid_row=OnInvalidRow.SKIP_ROW, state=state)
