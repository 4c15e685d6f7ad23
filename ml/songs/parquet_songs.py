"""Songs in Parquet files, with the columns and checks of a song CSV, and row numbers instead of lines.

Column types are checked once per file, cells as in a CSV: null, NaN and empty text are missing values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ml.songs.checks import SongRows, check_rows
from ml.songs.contract import NUMBER_NAMES, SONG_COLUMNS, TAGS, TITLE, TRACK_ID, Songs
from ml.songs.csv_songs import DEFAULT_CHUNK_ROWS
from ml.songs.header import column_problems
from ml.songs.problems import InvalidSongFileError, OnMissingValue, SongFileProblem, SongFileReport, shortened
from ml.songs.problems import SongFileProblemKind as Kind

RANGE_ROWS = 4_000
"""Minimum rows of a range, except the last."""

MAX_RANGES_PER_GROUP = 32
"""Reading from within a row group decodes the rows before, so large groups get fewer ranges."""

_COLUMN_BUFFER_BYTES = 256 * 2**10
"""Without a buffer, the reader loads whole columns of a row group into memory."""


def find_parquet_ranges(
    file: BinaryIO, range_rows: int = RANGE_ROWS, on_missing_value: OnMissingValue = OnMissingValue.SKIP_ROW
) -> list[range]:
    """Check the columns of a seekable Parquet file and split its rows, from 0, into ranges.

    With `CLASSIFY`, the file may lack columns.

    Raises:
        InvalidSongFileError: the file is not Parquet, has no rows, or lacks song columns.
    """
    parquet = _open(file)
    problems = _column_problems(parquet.schema_arrow, on_missing_value)
    if not problems and not parquet.metadata.num_rows:
        problems = [SongFileProblem(Kind.NO_ROWS, "The file has columns, but no songs in them.")]
    if problems:
        raise InvalidSongFileError(SongFileReport(problem_count=len(problems), problems=problems))
    step = max(range_rows, -(-max(_group_sizes(parquet)) // MAX_RANGES_PER_GROUP))
    rows = range(parquet.metadata.num_rows)
    return [rows[start : start + step] for start in rows[::step]]


@dataclass(slots=True)
class ParquetSongs:
    """The songs in some rows of a seekable Parquet file whose columns were checked, and a report.

    A chunk has at most `chunk_rows` rows. `report` grows as chunks are read; lines are row numbers, from 1.
    """

    file: BinaryIO
    rows: range
    chunk_rows: int = DEFAULT_CHUNK_ROWS
    on_missing_value: OnMissingValue = OnMissingValue.SKIP_ROW
    report: SongFileReport = field(default_factory=SongFileReport)

    def chunks(self) -> Iterator[Songs]:
        """Yield the valid songs in order; invalid rows are skipped.

        Raises:
            InvalidSongFileError: the file is damaged.
        """
        try:
            for row, batch in self._batches():
                songs = self._read(batch, row)
                if len(songs):
                    yield songs
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise _unreadable(error, self.report) from error

    def _batches(self) -> Iterator[tuple[int, Any]]:
        """Yield the rows' record batches, each with the number of rows before it."""
        parquet = _open(self.file)
        first, last = self.rows.start, self.rows.stop
        ends = np.cumsum(_group_sizes(parquet))
        groups = np.arange(np.searchsorted(ends, first, "right"), np.searchsorted(ends, last) + 1).tolist()
        row = int(ends[groups[0] - 1]) if groups[0] else 0
        columns = [name for name in SONG_COLUMNS if name in parquet.schema_arrow.names]
        for batch in parquet.iter_batches(
            self.chunk_rows, row_groups=groups, columns=columns, use_threads=False
        ):
            start, end = max(first - row, 0), min(last - row, batch.num_rows)
            if start < end:
                yield row + start, batch.slice(start, end - start)
            row += batch.num_rows
            if row >= last:
                return

    def _read(self, batch: Any, rows_before: int) -> Songs:
        cells = {name: _plain(batch.column(name)) for name in batch.schema.names}
        rows = SongRows(
            "Row",
            range(rows_before + 1, rows_before + batch.num_rows + 1),
            track_ids=cells[TRACK_ID].to_pylist(),
            titles=cells[TITLE].cast(pa.string()).to_pylist(),
            tags=cells[TAGS].cast(pa.string()).to_pylist() if TAGS in cells else [None] * batch.num_rows,
            original=lambda row, column: str(cells[column][row].as_py()),
        )
        for position, name in enumerate(NUMBER_NAMES):
            if name in cells:
                numbers = cells[name].cast(pa.float64(), safe=False)
                rows.numbers[:, position] = numbers.to_numpy(zero_copy_only=False)
        self.report.rows += batch.num_rows
        songs, report = check_rows(rows, self.on_missing_value)
        self.report.extend(report)
        return songs


def _open(file: BinaryIO) -> Any:
    try:
        return pq.ParquetFile(file, buffer_size=_COLUMN_BUFFER_BYTES, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(error, SongFileReport()) from error


def _group_sizes(parquet: Any) -> list[int]:
    return [parquet.metadata.row_group(group).num_rows for group in range(parquet.num_row_groups)]


def _unreadable(error: Exception, report: SongFileReport) -> InvalidSongFileError:
    reason = shortened(str(error).strip().partition("\n")[0])
    report.add_first(SongFileProblem(Kind.ENCODING, f"The Parquet file cannot be read: {reason}"))
    return InvalidSongFileError(report)


def _column_problems(schema: Any, on_missing_value: OnMissingValue) -> list[SongFileProblem]:
    all_needed = on_missing_value is OnMissingValue.SKIP_ROW
    single = [column for column in SONG_COLUMNS if schema.names.count(column) == 1]
    types = [_type_problem(column, schema.field(column).type) for column in single]
    return [*column_problems(schema.names, "The file", None, all_needed=all_needed), *filter(None, types)]


def _type_problem(column: str, column_type: Any) -> SongFileProblem | None:
    held = column_type.value_type if pa.types.is_dictionary(column_type) else column_type
    types = pa.types
    is_number = types.is_integer(held) or types.is_floating(held)
    is_text = types.is_string(held) or types.is_large_string(held) or types.is_string_view(held)
    if column in NUMBER_NAMES:
        expected, kind, fits = "numbers", Kind.NOT_A_NUMBER, is_number or types.is_decimal(held)
    elif column == TRACK_ID:
        expected, kind, fits = "integers", Kind.NOT_AN_INTEGER, is_number
    else:
        expected, kind, fits = "texts", Kind.NOT_TEXT, is_text
    if fits or types.is_null(held):
        return None
    message = f"Column {column}: expected {expected}, found the type {column_type}."
    return SongFileProblem(kind, message, column=column, value=shortened(str(column_type)))


def _plain(array: Any) -> Any:
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
