"""Songs in Parquet files: the columns, checks and problems of a song CSV, with row numbers for lines.

A column's type is checked once for the file. What a cell may hold is the same as in a CSV: null and NaN
are missing values, an empty text too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ml.song_file import DEFAULT_CHUNK_ROWS
from ml.song_file_problems import (
    InvalidSongFileError,
    SongFileProblem,
    SongFileProblemKind,
    SongFileReport,
    shortened,
)
from ml.songs import (
    MAX_TRACK_ID,
    NUMBER_COLUMNS,
    NUMBER_NAMES,
    SONG_COLUMNS,
    TEXT_COLUMNS,
    TRACK_ID,
    NumberColumn,
    Songs,
    TextColumn,
)

RANGE_ROWS = 4_000
"""Rows of a range, at least."""

MOST_RANGES_OF_A_GROUP = 32
"""Reading from inside a row group decodes what stands before: so large groups are cut less finely."""

MOST_EXACT_FLOAT = 2**53
"""Floats beyond are no longer next to each other: a track id may have been rounded to such a one."""

_COLUMN_BUFFER_BYTES = 256 * 2**10
"""Without a buffer a reader takes whole columns of a row group into memory at once."""

_Kind = SongFileProblemKind
_Wrong = tuple[int, int, SongFileProblemKind, str, str]
"""row in the batch, place of the column, kind, what was expected, what was found"""


@dataclass(frozen=True, slots=True)
class ParquetRange:
    """Some rows of a Parquet file: how many there are before them, and how many they are."""

    rows_before: int
    rows: int


def find_parquet_ranges(file: BinaryIO, range_rows: int = RANGE_ROWS) -> list[ParquetRange]:
    """Check the columns of a Parquet file and cut it into ranges.

    Args:
        file: seekable.
        range_rows: rows of a range, at least; small row groups are put together.

    Raises:
        InvalidSongFileError: the file is no Parquet file, has no rows, or lacks columns of songs.
    """
    parquet = _open(file)
    report = SongFileReport()
    for problem in _column_problems(parquet.schema_arrow):
        report.add(problem)
    if not report.problem_count and not parquet.metadata.num_rows:
        report.add(SongFileProblem(_Kind.NO_ROWS, "The file has columns, but no songs in them."))
    if report.problem_count:
        raise InvalidSongFileError(report)
    ranges: list[ParquetRange] = []
    start = end = 0
    for group in range(parquet.metadata.num_row_groups):
        rows = parquet.metadata.row_group(group).num_rows
        end += rows
        step = max(range_rows, -(-rows // MOST_RANGES_OF_A_GROUP))
        while end - start >= step:
            ranges.append(ParquetRange(start, step))
            start += step
    if end > start:
        ranges.append(ParquetRange(start, end - start))
    return ranges


@dataclass(slots=True)
class ParquetSongs:
    """The songs in a range of a Parquet file whose columns were checked.

    Attributes:
        file: the file, seekable.
        range: which rows.
        chunk_rows: how many make one chunk, at most.
        report: what was found so far; the line of a problem is the number of the row, from 1.
    """

    file: BinaryIO
    range: ParquetRange
    chunk_rows: int = DEFAULT_CHUNK_ROWS
    report: SongFileReport = field(default_factory=SongFileReport)

    def chunks(self) -> Iterator[Songs]:
        """Give out the complete and valid songs in the order of the file; wrong rows are left out.

        Raises:
            InvalidSongFileError: the file is damaged.
        """
        try:
            for row, batch in self._batches():
                songs = self._read(batch, row)
                if len(songs):
                    yield songs
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(error, self.report) from error

    def _batches(self) -> Iterator[tuple[int, Any]]:
        """Yield record batches of the range and how many rows of the file are before each."""
        parquet = _open(self.file)
        first, last = self.range.rows_before, self.range.rows_before + self.range.rows
        bounds = np.cumsum(
            [0, *(parquet.metadata.row_group(g).num_rows for g in range(parquet.num_row_groups))]
        )
        groups = [g for g in range(parquet.num_row_groups) if bounds[g] < last and bounds[g + 1] > first]
        row = int(bounds[groups[0]])
        for batch in parquet.iter_batches(
            self.chunk_rows, row_groups=groups, columns=list(SONG_COLUMNS), use_threads=False
        ):
            start, end = max(first - row, 0), min(last - row, batch.num_rows)
            if start < end:
                yield row + start, batch.slice(start, end - start)
            row += batch.num_rows
            if row >= last:
                return

    def _read(self, batch: Any, rows_before: int) -> Songs:
        wrong: list[_Wrong] = []
        complete = np.ones(batch.num_rows, np.bool_)
        columns = [_plain(batch.column(name)) for name in SONG_COLUMNS]
        track_ids = _track_ids(columns[0], complete, wrong)
        titles, tags = (
            _texts(array, column, place, complete, wrong)
            for place, (column, array) in enumerate(zip(TEXT_COLUMNS, columns[1:3], strict=True), 1)
        )
        numbers = np.empty((batch.num_rows, len(NUMBER_COLUMNS)))
        for place, (column, array) in enumerate(zip(NUMBER_COLUMNS, columns[3:], strict=True)):
            numbers[:, place] = _numbers(array, column, place + 3, wrong)
        complete &= ~np.isnan(numbers).any(axis=1)
        valid = np.ones(batch.num_rows, np.bool_)
        for row, place, kind, expected, found in sorted(wrong, key=lambda cell: cell[:2]):
            valid[row] = False
            self.report.add(_cell_problem(rows_before + row + 1, SONG_COLUMNS[place], kind, expected, found))
        self.report.rows += batch.num_rows
        self.report.rows_invalid += int(np.count_nonzero(~valid))
        self.report.rows_with_missing_values += int(np.count_nonzero(valid & ~complete))
        songs = Songs(track_ids, titles, tags, numbers)
        taken = valid & complete
        return songs if taken.all() else songs.take(np.flatnonzero(taken))


def _open(file: BinaryIO) -> Any:
    try:
        return pq.ParquetFile(file, buffer_size=_COLUMN_BUFFER_BYTES, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(error, SongFileReport()) from error


def _unreadable(error: Exception, report: SongFileReport) -> InvalidSongFileError:
    reason = shortened(str(error).strip().partition("\n")[0])
    report.add_first(SongFileProblem(_Kind.ENCODING, f"This is no readable Parquet file: {reason}"))
    return InvalidSongFileError(report)


def _column_problems(schema: Any) -> Iterator[SongFileProblem]:
    counts = Counter(schema.names)
    others = {name.lower(): name for name in schema.names if name not in SONG_COLUMNS}
    for column in SONG_COLUMNS:
        if not counts[column]:
            alike = others.get(column.lower())
            hint = f"; there is {alike!r}, but names have to match in case too" if alike else ""
            yield SongFileProblem(
                _Kind.MISSING_COLUMN, f"The file has no column {column}{hint}.", column=column
            )
        elif counts[column] > 1:
            yield SongFileProblem(
                _Kind.DUPLICATE_COLUMN,
                f"The file has the column {column} {counts[column]} times.",
                column=column,
            )
        else:
            problem = _type_problem(column, schema.field(column).type)
            if problem is not None:
                yield problem


def _type_problem(column: str, column_type: Any) -> SongFileProblem | None:
    held = column_type.value_type if pa.types.is_dictionary(column_type) else column_type
    types = pa.types
    if column in NUMBER_NAMES:
        expected, kind = "numbers", _Kind.NOT_A_NUMBER
        fits = types.is_integer(held) or types.is_floating(held) or types.is_decimal(held)
    elif column == TRACK_ID:
        expected, kind = "integers", _Kind.NOT_AN_INTEGER
        fits = types.is_integer(held) or types.is_floating(held)
    else:
        expected, kind = "texts", _Kind.NOT_TEXT
        fits = types.is_string(held) or types.is_large_string(held) or types.is_string_view(held)
    if fits or types.is_null(held):
        return None
    return SongFileProblem(
        kind,
        f"Column {column}: expected {expected}, found the type {column_type}.",
        column=column,
        value=shortened(str(column_type)),
    )


def _cell_problem(
    row: int, column: str, kind: SongFileProblemKind, expected: str, found: str
) -> SongFileProblem:
    value = shortened(found)
    message = f"Row {row}, column {column}: expected {expected}, found {value!r}."
    return SongFileProblem(kind, message, line=row, column=column, value=value)


def _plain(array: Any) -> Any:
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _track_ids(array: Any, complete: npt.NDArray[np.bool_], wrong: list[_Wrong]) -> npt.NDArray[np.int64]:
    missing = array.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
    complete &= ~missing
    if pa.types.is_null(array.type):
        return np.zeros(len(array), np.int64)
    values = array.fill_null(0).to_numpy(zero_copy_only=False)
    most = MOST_EXACT_FLOAT if pa.types.is_floating(array.type) else MAX_TRACK_ID
    expected = f"an integer from 0 to {most}"
    if most == MOST_EXACT_FLOAT:
        values = np.where(missing, 0.0, values.astype(np.float64))
        expected += " in a column of floats"
    outside = (values < 0) | (values > most)
    fractions = ~outside & (values != np.trunc(values)) if most == MOST_EXACT_FLOAT else outside & False
    for kind, rows in ((_Kind.OUT_OF_RANGE, outside), (_Kind.NOT_AN_INTEGER, fractions)):
        wrong += [(row, 0, kind, expected, str(values[row])) for row in np.flatnonzero(rows).tolist()]
    return np.where(outside | fractions, 0, values).astype(np.int64)


def _texts(
    array: Any, column: TextColumn, place: int, complete: npt.NDArray[np.bool_], wrong: list[_Wrong]
) -> list[str]:
    if pa.types.is_null(array.type):
        complete[:] = False
        return [""] * len(array)
    texts: list[str] = []
    for row, text in enumerate(_decoded(array)):
        if text is None:
            wrong.append((row, place, _Kind.ENCODING, "text in UTF-8", "other bytes"))
        elif len(text) > column.max_length:
            expected = f"at most {column.max_length:,} characters instead of {len(text):,}"
            wrong.append((row, place, _Kind.TEXT_TOO_LONG, expected, text))
        elif "\0" in text:
            wrong.append((row, place, _Kind.NOT_TEXT, "text without a zero character", text))
        elif not text.strip():
            complete[row] = False
        texts.append(text or "")
    return texts


def _decoded(array: Any) -> Sequence[str | None]:
    """Return texts, the missing ones empty; None where the bytes are not UTF-8, which nobody checked yet."""
    try:
        return [text or "" for text in array.to_pylist()]
    except UnicodeDecodeError:
        return [_decode(raw or b"") for raw in array.cast(pa.string()).cast(pa.binary()).to_pylist()]


def _decode(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def _numbers(array: Any, column: NumberColumn, place: int, wrong: list[_Wrong]) -> npt.NDArray[np.float64]:
    cast = array.cast(pa.float64(), safe=False)
    numbers: npt.NDArray[np.float64] = cast.to_numpy(zero_copy_only=False)
    outside = (numbers < column.minimum) | (numbers > column.maximum)
    suspects = outside | (numbers != np.trunc(numbers)) & ~np.isnan(numbers) if column.integer else outside
    for row in np.flatnonzero(suspects).tolist():
        kind = _Kind.OUT_OF_RANGE if outside[row] else _Kind.NOT_AN_INTEGER
        wrong.append((row, place, kind, _expected(column), str(array[row].as_py())))
    return numbers


def _expected(column: NumberColumn) -> str:
    what = "an integer" if column.integer else "a number"
    unit = f" ({column.unit})" if column.unit else ""
    return f"{what} from {column.minimum:g} to {column.maximum:g}{unit}"
