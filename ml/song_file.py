"""A reader of song files: a CSV in, complete and valid songs and a report of all problems out.

The file is read in blocks of whole records (`ml.csv_records`). A block in which every record has the
header's number of cells and every quote stands where it should is parsed by pandas and checked with
numpy. A block with any doubt about it, however small, is read again cell by cell, which alone decides
what is wrong and says so with line, column and value. The fast way may only ever agree: what it takes,
the exact way would take too, with the same values.

What a number is: ASCII digits with an optional sign, decimal point and exponent, blanks around it
ignored: `4`, `-4.50`, `.5`, `1e-3`. Not `1_000`, `0x10`, `1,5`, `True` or digits of other scripts.
Infinities and numbers too large for float64 are numbers, but out of every column's range.
"""

from __future__ import annotations

import enum
import io
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import TypeAdapter

from ml.csv_records import BOM, START, Block, FilePosition, RecordReader, UnreadableFileError
from ml.song_file_problems import (
    MAX_PROBLEMS,
    InvalidSongFileError,
    SongFileProblem,
    SongFileProblemKind,
    SongFileReport,
    TooManyRowsError,
    shortened,
)
from ml.songs import (
    MAX_TRACK_ID,
    MISSING_MARKERS,
    NUMBER_COLUMNS,
    NUMBER_NAMES,
    SONG_COLUMNS,
    TEXT_COLUMNS,
    TRACK_ID,
    NumberColumn,
    Songs,
    TextColumn,
    is_storable,
)

__all__ = [
    "MAX_PROBLEMS",
    "InvalidSongFileError",
    "OnInvalidRow",
    "SongFile",
    "SongFileProblem",
    "SongFileProblemKind",
    "SongFileReport",
    "SongFileState",
    "TooManyRowsError",
]


class OnInvalidRow(enum.Enum):
    """What to do about rows that are wrong; a member's value is its name."""

    REJECT_FILE = "REJECT_FILE"
    SKIP_ROW = "SKIP_ROW"


DEFAULT_CHUNK_ROWS = 2_000

MAX_FILE_NAME_LENGTH = 255
"""In characters, as most file systems have it."""

MAX_COLUMNS = 1_000
"""A song has 157; others beside them are ignored, but not without end."""

MAX_HEADER_BYTES = 64 * 2**10
"""Of the header line, which is kept while the file is worked on."""

_SMALL_BLOCK = 100
"""Up to so many records are read cell by cell at once: pandas needs as long to start."""

_BLANKS = " \t\n\v\f\r"
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?i:inf(?:inity)?)")
_TRACK_ID = re.compile(r"([+-]?)([0-9]+)(?:\.0*)?")
_TRACK_ID_EXPECTED = f"an integer in digits from 0 to {MAX_TRACK_ID}"
_ORDINARY_NUMBERS = re.compile(r"[0-9.eE+ -]*")

_MINIMA = np.array([column.minimum for column in NUMBER_COLUMNS])
_MAXIMA = np.array([column.maximum for column in NUMBER_COLUMNS])
_INTEGERS = np.array([column.integer for column in NUMBER_COLUMNS])

# Other spellings of the markers (`nUlL`, ` NA `) are no numbers to pandas, and so left to the exact way.
_PANDAS_MARKERS = sorted(
    {s for marker in MISSING_MARKERS for s in (marker, marker.upper(), marker.title(), "NaN")}
)

_FLOAT64 = np.dtype(np.float64)

_Kind = SongFileProblemKind
_Value = TypeVar("_Value", int, float, str)


class _WrongCellError(Exception):
    """A cell that holds no value of its column: its kind, and what was expected instead."""

    def __init__(self, kind: SongFileProblemKind, expected: str) -> None:
        self.kind = kind
        self.expected = expected
        super().__init__(expected)


@dataclass(frozen=True, slots=True)
class SongFileState:
    """How far a song file was read: enough to read on later, in another process.

    Attributes:
        position: where the first row starts that was not read yet.
        header: the names of the file's columns; None if the header was not read yet.
        report: what was found up to there.
    """

    position: FilePosition = START
    header: tuple[str, ...] | None = None
    report: SongFileReport = field(default_factory=SongFileReport)

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON can hold it."""
        document: dict[str, Any] = _STATE.dump_python(self, mode="json")
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> SongFileState:
        """Return the state in what `to_json` made.

        Raises:
            pydantic.ValidationError: it is no such document.
        """
        return _STATE.validate_python(document, strict=False)


_STATE = TypeAdapter(SongFileState)


class SongFile:
    """A song CSV, read once, chunk by chunk, in memory that does not grow with it.

    Args:
        file: the file, opened in binary mode, read from where it stands to its end; not closed. It has to
            stand at the state's position.
        name: the name the file was given by its owner; it has to end in `.csv`.
        on_invalid_row: whether one wrong row makes the whole file wrong, or is left out.
        chunk_rows: how many rows of the file make one chunk, at most.
        max_rows: how many rows the file may have; None for any number.
        state: how far the file was read before, by another reader with the same name and options.

    Attributes:
        report: what was found so far; complete when `chunks` has ended or raised.
    """

    def __init__(  # noqa: PLR0913  (options, by keyword)
        self,
        file: BinaryIO,
        *,
        name: str,
        on_invalid_row: OnInvalidRow = OnInvalidRow.REJECT_FILE,
        chunk_rows: int = DEFAULT_CHUNK_ROWS,
        max_rows: int | None = None,
        state: SongFileState | None = None,
    ) -> None:
        if chunk_rows < 1:
            raise ValueError(f"chunk_rows is {chunk_rows}, must be 1 or more")
        state = SongFileState() if state is None else state
        self.report = state.report.copy()
        self._name = name
        self._on_invalid_row = on_invalid_row
        self._chunk_rows = chunk_rows
        self._max_rows = max_rows
        self._records = RecordReader(file, state.position)
        self._header_names = state.header

    @property
    def state(self) -> SongFileState:
        """How far the file is read: up to the end of the last chunk given out, or a little further."""
        return SongFileState(self._records.position, self._header_names, self.report.copy())

    def chunks(self) -> Iterator[Songs]:
        """Give out the file's complete and valid songs in the order of the file, in chunks.

        No chunk is empty, and none comes after the first problem of a file that is to be rejected; those
        before may have come already, so their consumer has to be able to take them back.

        Raises:
            InvalidSongFileError: the file is no song file, with any `on_invalid_row`; or it has invalid
                rows and is to be rejected for them (raised at its end, so that the report holds them all).
            TooManyRowsError: the file has more than `max_rows` rows.
        """
        reject = self._on_invalid_row is OnInvalidRow.REJECT_FILE
        try:
            self._check_name()
            header = self._header()
            while (block := self._records.take(self._chunk_rows)) is not None:
                self._count(len(block))
                songs = self._read_fast(block, header)
                if songs is None:
                    songs = self._read_exactly(block, header)
                if len(songs) and not (reject and self.report.problem_count):
                    yield songs
            self._check_rows()
        except UnreadableFileError as error:
            self.report.add_first(error.problem)
            raise InvalidSongFileError(self.report) from None
        if reject and self.report.problem_count:
            raise InvalidSongFileError(self.report)

    def count_rows(self) -> int:
        """Read the file to its end without looking into its cells, and return its number of rows.

        Raises:
            InvalidSongFileError: the file is no song file: its name, its header, its encoding, its quotes.
            TooManyRowsError: the file has more than `max_rows` rows.
        """
        try:
            self._check_name()
            self._header()
            while (block := self._records.take(self._chunk_rows)) is not None:
                self._count(len(block))
            self._check_rows()
        except UnreadableFileError as error:
            self.report.add_first(error.problem)
            raise InvalidSongFileError(self.report) from None
        return self.report.rows

    def _count(self, rows: int) -> None:
        self.report.rows += rows
        if self._max_rows is not None and self.report.rows > self._max_rows:
            raise TooManyRowsError(self._max_rows)

    def _check_rows(self) -> None:
        if not self.report.rows:
            raise UnreadableFileError(
                SongFileProblem(_Kind.NO_ROWS, "The file has a header line, but no songs after it.")
            )

    def _check_name(self) -> None:
        if not self._name.lower().endswith(".csv"):
            name = shortened(self._name)
            raise UnreadableFileError(
                SongFileProblem(
                    _Kind.FILE_NAME,
                    f"A song file's name has to end in .csv, this one is {name!r}.",
                    value=name,
                )
            )
        if len(self._name) > MAX_FILE_NAME_LENGTH or not is_storable(self._name):
            name = shortened(self._name.encode(errors="backslashreplace").decode())
            raise UnreadableFileError(
                SongFileProblem(
                    _Kind.FILE_NAME,
                    f"A song file's name has to be text of at most {MAX_FILE_NAME_LENGTH} characters, this "
                    f"one has {len(self._name):,}: {name!r}.",
                    value=name,
                )
            )

    def _header(self) -> _Header:
        if self._header_names is not None:
            return _Header(self._header_names)
        block = self._records.take(1)
        if block is None:
            raise UnreadableFileError(SongFileProblem(_Kind.EMPTY_FILE, "The file is empty."))
        line = int(block.lines[0])
        _check_header_size(block, line)
        names = [name.strip() for name in block.record(0)]
        problems = [*_missing_columns(names, line), *_repeated_columns(names, line)]
        for separator, what in ((";", "semicolons"), ("\t", "tabs")):
            if len(problems) > 1 and _columns_among(block.record(0), separator) > 1:
                raise UnreadableFileError(
                    SongFileProblem(
                        _Kind.SEPARATOR,
                        f"The columns are separated by {what}; a song file's are separated by commas.",
                        line=line,
                    )
                )
        if problems:
            for problem in problems:
                self.report.add(problem)
            raise InvalidSongFileError(self.report)
        self._header_names = tuple(names)
        return _Header(names)

    def _read_fast(self, block: Block, header: _Header) -> Songs | None:
        """Read a block with pandas; None if anything about it needs a closer look."""
        if len(block) <= _SMALL_BLOCK or not _is_plain(block, header):
            return None
        frame = _parse(block, header)
        if frame is None:
            return None
        numbers = frame[header.numbers].to_numpy(np.float64)
        if _out_of_range(numbers) or _fractions(numbers) or _truth_values(numbers, block, header):
            return None
        complete = ~np.isnan(numbers).any(axis=1)
        track_ids = np.zeros(len(block), np.int64)
        texts: list[list[str]] = []
        try:
            for row, (cell,) in enumerate(frame[header.track_id]):
                track_id = _track_id(cell)
                if track_id is None:
                    complete[row] = False
                else:
                    track_ids[row] = track_id
            for column, position in zip(TEXT_COLUMNS, header.texts, strict=True):
                values = [cell for (cell,) in frame[position]]
                texts.append(values)
                for row, cell in enumerate(values):
                    if _text(column, cell) is None:
                        complete[row] = False
        except _WrongCellError:
            return None
        titles, tags = texts
        songs = Songs(track_ids, titles, tags, numbers)
        missing = len(block) - int(np.count_nonzero(complete))
        self.report.rows_with_missing_values += missing
        return songs.take(np.flatnonzero(complete)) if missing else songs

    def _read_exactly(self, block: Block, header: _Header) -> Songs:
        """Read a block cell by cell, and report all that is wrong with it."""
        track_ids: list[int] = []
        titles: list[str] = []
        tags: list[str] = []
        numbers: list[npt.NDArray[np.float64]] = []
        for index in range(len(block)):
            song = self._read_row(block, index, header)
            if song is not None:
                track_ids.append(song[0])
                titles.append(song[1])
                tags.append(song[2])
                numbers.append(song[3])
        return Songs(
            np.array(track_ids, np.int64),
            titles,
            tags,
            np.array(numbers, np.float64).reshape(-1, len(NUMBER_COLUMNS)),
        )

    def _read_row(
        self, block: Block, index: int, header: _Header
    ) -> tuple[int, str, str, npt.NDArray[np.float64]] | None:
        cells, line = block.record(index), int(block.lines[index])
        if len(cells) != header.width:
            self.report.rows_invalid += 1
            self.report.add(_ragged(cells, line, header, spans_lines=block.spans_lines(index)))
            return None
        before = self.report.problem_count
        track_id = self._checked(line, TRACK_ID, _track_id, cells[header.track_id])
        title, tags = (
            self._checked(line, column.name, partial(_text, column), cells[position])
            for column, position in zip(TEXT_COLUMNS, header.texts, strict=True)
        )
        number_cells = [cells[position] for position in header.numbers]
        numbers = _ordinary_numbers(number_cells)
        missing = track_id is None or title is None or tags is None
        if numbers is None:
            values = [
                self._checked(line, column.name, partial(_number, column), cell)
                for column, cell in zip(NUMBER_COLUMNS, number_cells, strict=True)
            ]
            missing = missing or None in values
            numbers = np.array(values, np.float64)
        if self.report.problem_count > before:
            self.report.rows_invalid += 1
            return None
        if missing:
            self.report.rows_with_missing_values += 1
            return None
        assert track_id is not None  # or it would be missing or wrong
        assert title is not None
        assert tags is not None
        return track_id, title, tags, numbers

    def _checked(
        self, line: int, column: str, read: Callable[[str], _Value | None], cell: str
    ) -> _Value | None:
        """Return what a cell holds; None if it is missing, and also, having reported it, if it is wrong."""
        try:
            return read(cell)
        except _WrongCellError as error:
            value = shortened(cell)
            self.report.add(
                SongFileProblem(
                    error.kind,
                    f"Line {line}, column {column}: expected {error.expected}, found {value!r}.",
                    line=line,
                    column=column,
                    value=value,
                )
            )
            return None


def _track_id(cell: str) -> int | None:
    """Return the track id in a cell, exactly: by way of float, ids over 2**53 would change."""
    if len(cell) < len(str(MAX_TRACK_ID)) and cell.isascii() and cell.isdecimal():
        return int(cell)
    text = cell.strip(_BLANKS)
    match = _TRACK_ID.fullmatch(text)
    if match is None:
        if text.lower() in MISSING_MARKERS:
            return None
        kind = _Kind.NOT_A_NUMBER
        if _NUMBER.fullmatch(text):
            kind = _Kind.NOT_AN_INTEGER if math.isfinite(float(text)) else _Kind.OUT_OF_RANGE
        raise _WrongCellError(kind, _TRACK_ID_EXPECTED)
    digits = match[2].lstrip("0") or "0"
    if (
        len(digits) > len(str(MAX_TRACK_ID))
        or int(digits) > MAX_TRACK_ID
        or (match[1] == "-" and digits != "0")
    ):
        raise _WrongCellError(_Kind.OUT_OF_RANGE, _TRACK_ID_EXPECTED)
    return int(digits)


def _text(column: TextColumn, cell: str) -> str | None:
    """Return the text in a cell as it stands; None if there is nothing but blanks."""
    if len(cell) > column.max_length:
        raise _WrongCellError(
            _Kind.TEXT_TOO_LONG, f"at most {column.max_length:,} characters instead of {len(cell):,}"
        )
    return cell if cell.strip() else None


def _number(column: NumberColumn, cell: str) -> float | None:
    """Return the number in a cell; None if it is missing."""
    text = cell.strip(_BLANKS)
    if not _NUMBER.fullmatch(text):
        if text.lower() in MISSING_MARKERS:
            return None
        raise _WrongCellError(_Kind.NOT_A_NUMBER, _expected(column))
    number = float(text)
    if not column.minimum <= number <= column.maximum:
        raise _WrongCellError(_Kind.OUT_OF_RANGE, _expected(column))
    if column.integer and not number.is_integer():
        raise _WrongCellError(_Kind.NOT_AN_INTEGER, _expected(column))
    return number


def _expected(column: NumberColumn) -> str:
    what = "an integer" if column.integer else "a number"
    unit = f" ({column.unit})" if column.unit else ""
    return f"{what} from {column.minimum:g} to {column.maximum:g}{unit}"


def _ordinary_numbers(cells: Sequence[str]) -> npt.NDArray[np.float64] | None:
    """Return a row's numbers, if all of them are there and right; a quick way for the many that are."""
    if not _ORDINARY_NUMBERS.fullmatch("".join(cells)):
        return None
    try:
        numbers = np.array(list(map(float, cells)))
    except ValueError:
        return None
    return None if _out_of_range(numbers) or _fractions(numbers) else numbers


def _out_of_range(numbers: npt.NDArray[np.float64]) -> bool:
    """Tell whether any number, of one row or many, is out of its column's range; NaN never is."""
    return bool(((numbers < _MINIMA) | (numbers > _MAXIMA)).any())


def _fractions(numbers: npt.NDArray[np.float64]) -> bool:
    """Tell whether any number, of one row or many, of an integer column has a fraction; NaN never has."""
    integers = numbers[..., _INTEGERS]
    return bool((np.abs(integers - np.trunc(integers)) > 0).any())


class _Header:
    """Where the song columns are among a file's columns."""

    def __init__(self, names: Sequence[str]) -> None:
        position = {name: index for index, name in enumerate(names) if name in _SONG_COLUMNS}
        self.width = len(names)
        self.track_id = position[TRACK_ID]
        self.texts = [position[column.name] for column in TEXT_COLUMNS]
        self.numbers = [position[name] for name in NUMBER_NAMES]
        self.strings = dict.fromkeys([self.track_id, *self.texts], _wrapped)


def _wrapped(cell: str) -> tuple[str]:
    """Hide a text from pandas, which would take a song called `None` for a missing value."""
    return (cell,)


_SONG_COLUMNS = frozenset(SONG_COLUMNS)


def _check_header_size(block: Block, line: int) -> None:
    """Refuse a header that is no song file's, before its names are looked at one by one."""
    if int(block.ends[0] - block.starts[0]) > MAX_HEADER_BYTES:
        raise UnreadableFileError(
            SongFileProblem(
                _Kind.ROW_TOO_LONG,
                f"The header on line {line} is longer than {MAX_HEADER_BYTES // 2**10} KiB.",
                line=line,
            )
        )
    columns = len(block.record(0))
    if columns > MAX_COLUMNS:
        raise UnreadableFileError(
            SongFileProblem(
                _Kind.TOO_MANY_COLUMNS,
                f"Line {line}: the header has {columns:,} columns, a song file has at most {MAX_COLUMNS:,}.",
                line=line,
            )
        )


def _missing_columns(names: Sequence[str], line: int) -> Iterator[SongFileProblem]:
    others = {name.lower(): name for name in names if name not in _SONG_COLUMNS}
    for column in SONG_COLUMNS:
        if column not in names:
            alike = others.get(column.lower())
            hint = f"; there is {alike!r}, but names have to match in case too" if alike else ""
            yield SongFileProblem(
                _Kind.MISSING_COLUMN,
                f"Line {line}: the header has no column {column}{hint}.",
                line=line,
                column=column,
            )


def _repeated_columns(names: Sequence[str], line: int) -> Iterator[SongFileProblem]:
    counts = Counter(names)
    for column in SONG_COLUMNS:
        if counts[column] > 1:
            yield SongFileProblem(
                _Kind.DUPLICATE_COLUMN,
                f"Line {line}: the header has the column {column} {counts[column]} times.",
                line=line,
                column=column,
            )


def _columns_among(cells: Sequence[str], separator: str) -> int:
    """Count the song columns that a header would have, were its cells separated otherwise."""
    names = (name.strip(_BLANKS + '"') for name in ",".join(cells).split(separator))
    return len(_SONG_COLUMNS.intersection(names))


def _ragged(cells: Sequence[str], line: int, header: _Header, *, spans_lines: bool) -> SongFileProblem:
    hint = ""
    if spans_lines:
        hint = "; the row goes on over further lines, so perhaps a quote is not closed"
    elif len(cells) > header.width:
        hint = "; perhaps a comma in a text is not inside quotes"
    noun = "cell" if len(cells) == 1 else "cells"
    return SongFileProblem(
        _Kind.RAGGED_ROW,
        f"Line {line} has {len(cells)} {noun}, the header {header.width}{hint}.",
        line=line,
    )


def _is_plain(block: Block, header: _Header) -> bool:
    """Tell whether pandas splits this block into the same cells as we do."""
    if block.cells is None or (block.cells != header.width).any():
        return False
    # pandas drops blanks at the start of a line, and a byte order mark at the start of what it is given.
    first_bytes = np.frombuffer(block.data, np.uint8)[block.starts]
    return not (np.isin(first_bytes, _LINE_BLANKS).any() or block.data.startswith(BOM))


_LINE_BLANKS = np.frombuffer(b" \t", np.uint8)


def _parse(block: Block, header: _Header) -> pd.DataFrame | None:
    """Let pandas read a block; None if it finds a wrong number or may have found one where there is none."""
    try:
        frame: pd.DataFrame = pd.read_csv(
            io.BytesIO(block.data),
            engine="c",
            header=None,
            names=range(header.width),
            usecols=sorted([*header.strings, *header.numbers]),
            index_col=False,
            dtype=dict.fromkeys(header.numbers, _FLOAT64),
            converters=header.strings,
            keep_default_na=False,
            na_values=_PANDAS_MARKERS,  # as a dict by column they take longer than the parsing
            low_memory=False,
        )
    except (ValueError, OverflowError):  # among them pandas' ParserError
        return None
    if len(frame) != len(block):
        return None
    return frame


def _truth_values(numbers: npt.NDArray[np.float64], block: Block, header: _Header) -> bool:
    """Tell whether a column is written `True` and `False`, which pandas takes for 1 and 0.

    It does so only if all cells of a column are, so one cell of each column of ones and zeros tells.
    """
    missing = np.isnan(numbers)
    suspects = np.flatnonzero(((numbers == 0) | (numbers == 1) | missing).all(axis=0) & ~missing.all(axis=0))
    first_rows = np.argmin(missing[:, suspects], axis=0)
    for row in set(first_rows.tolist()):
        cells = block.record(row)
        for column in suspects[first_rows == row]:
            if not _NUMBER.fullmatch(cells[header.numbers[column]].strip(_BLANKS)):
                return True
    return False
