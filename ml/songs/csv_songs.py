"""Read song CSV files into valid songs and a report of all problems.

`ml.songs.csv_records` reads blocks of whole records; `ml.songs.csv_cells` turns them into songs.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, BinaryIO

from pydantic import TypeAdapter

from ml.songs.checks import WrongCellError, parse_number, parse_track_id
from ml.songs.contract import TRACK_ID, Songs, is_storable
from ml.songs.csv_cells import read_block
from ml.songs.csv_records import (
    START,
    Block,
    FilePosition,
    RecordReader,
    UndoubledQuoteError,
    UnreadableFileError,
    split_cells,
)
from ml.songs.header import (
    LINES_SEARCHED,
    ColumnPositions,
    clean_name,
    column_problems,
    count_song_columns,
    is_separator_line,
    not_a_header,
    wrong_first_line,
)
from ml.songs.problems import (
    InvalidSongFileError,
    OnInvalidRow,
    OnMissingValue,
    SongFileProblem,
    SongFileReport,
    TooManyRowsError,
    shortened,
)
from ml.songs.problems import SongFileProblemKind as Kind

DEFAULT_CHUNK_ROWS = 2_000

MAX_FILE_NAME_LENGTH = 255
"""In characters, like most file systems."""

MAX_COLUMNS = 1_000
"""Limit of columns, including ignored ones; a song has 157."""

MAX_HEADER_BYTES = 64 * 2**10
"""Limit of the header line, which stays in memory."""


@dataclass(frozen=True, slots=True)
class SongFileState:
    """The progress of reading a song file: enough to resume in another process.

    `header` are the file's column names; None before they were read.
    """

    position: FilePosition = START
    header: tuple[str, ...] | None = None
    report: SongFileReport = field(default_factory=SongFileReport)

    @property
    def rows(self) -> int:
        """The number of rows read."""
        return self.report.rows

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        document: dict[str, Any] = _STATE.dump_python(self, mode="json")
        return document

    @classmethod
    def from_json(cls, document: Any) -> SongFileState:
        """Return the state from the result of `to_json`; pydantic.ValidationError if it is none."""
        return _STATE.validate_python(document)


_STATE = TypeAdapter(SongFileState)


@dataclass(slots=True)
class SongFile:
    """A song CSV, read once in chunks, with bounded memory.

    Attributes:
        file: the file, opened in binary mode at the start's position; not closed.
        name: the file's original name, which must end in `.csv`.
        on_invalid_row: whether an invalid row rejects the whole file or is skipped.
        on_missing_value: whether rows with missing values are skipped or returned as they are.
        chunk_rows: maximum number of rows per chunk.
        max_rows: maximum number of rows; None for no limit.
        start: the progress of an earlier reader with the same name and options.
        report: the report so far; complete when `chunks` has ended or raised.
    """

    file: BinaryIO
    _: KW_ONLY
    name: str
    on_invalid_row: OnInvalidRow = OnInvalidRow.REJECT_FILE
    on_missing_value: OnMissingValue = OnMissingValue.SKIP_ROW
    chunk_rows: int = DEFAULT_CHUNK_ROWS
    max_rows: int | None = None
    start: SongFileState = field(default_factory=SongFileState)
    report: SongFileReport = field(init=False)
    _records: RecordReader = field(init=False)
    _header: tuple[str, ...] | None = field(init=False)

    def __post_init__(self) -> None:
        self.report = deepcopy(self.start.report)
        self._records = RecordReader(self.file, self.start.position)
        self._header = self.start.header

    @property
    def state(self) -> SongFileState:
        """The progress: the end of the last chunk, or a little further."""
        return SongFileState(self._records.position, self._header, deepcopy(self.report))

    def chunks(self) -> Iterator[Songs]:
        """Yield the file's valid songs in order, in chunks.

        No chunk is empty. If problems reject the file, there are no chunks after the first problem, but the
        consumer must be able to undo earlier ones.

        Raises:
            InvalidSongFileError: the file is not a song file; or it has invalid rows that reject it (raised
                at the end, so that the report has all problems).
            TooManyRowsError: the file has more than `max_rows` rows.
        """
        reject = self.on_invalid_row is OnInvalidRow.REJECT_FILE
        for block, columns in self._blocks():
            songs, report = read_block(block, columns, self.on_missing_value)
            self.report.extend(report)
            if len(songs) and not (reject and self.report.problem_count):
                yield songs
        if reject and self.report.problem_count:
            raise InvalidSongFileError(self.report)

    def row_counts(self) -> Iterator[int]:
        """Read to the end without parsing cells, and yield the number of rows so far after each chunk.

        Raises:
            InvalidSongFileError: the name, header, encoding or quotes are invalid.
            TooManyRowsError: the file has more than `max_rows` rows.
        """
        for _ in self._blocks():
            yield self.report.rows

    def read_header(self) -> tuple[str, ...]:
        """Read the header, and return the names of the columns.

        Raises:
            InvalidSongFileError: the name or header is invalid.
        """
        all_needed = self.on_missing_value is OnMissingValue.SKIP_ROW
        self.check_name()
        try:
            self._header = self._header or _read_header(self._records, all_needed=all_needed)
        except UnreadableFileError as error:
            raise self._unreadable(*error.problems) from None
        return self._header

    def _blocks(self) -> Iterator[tuple[Block, ColumnPositions]]:
        columns = ColumnPositions(self.read_header())
        try:
            while (block := self._records.take(self.chunk_rows)) is not None:
                if self.start.header is None and not self.report.rows:
                    _check_row_names(block, columns)
                self.report.rows += len(block)
                if self.max_rows is not None and self.report.rows > self.max_rows:
                    raise TooManyRowsError(self.max_rows)
                yield block, columns
        except UnreadableFileError as error:
            raise self._unreadable(*error.problems) from None
        if not self.report.rows:
            message = "The file has a header line, but no songs after it."
            raise self._unreadable(SongFileProblem(Kind.NO_ROWS, message))

    def _unreadable(self, *problems: SongFileProblem) -> InvalidSongFileError:
        self.report.add_first(*problems)
        return InvalidSongFileError(self.report)

    def check_name(self) -> None:
        """Check the name of the file.

        Raises:
            InvalidSongFileError: it does not end in `.csv`, is too long, or cannot be stored.
        """
        name = shortened(self.name.encode(errors="backslashreplace").decode())
        if not self.name.lower().endswith(".csv"):
            message = f"The name of a song file must end in .csv; this one is {name!r}."
        elif len(self.name) > MAX_FILE_NAME_LENGTH or not is_storable(self.name):
            message = (
                f"The name of a song file must be text of at most {MAX_FILE_NAME_LENGTH} characters; it "
                f"has {len(self.name):,}: {name!r}."
            )
        else:
            return
        raise self._unreadable(SongFileProblem(Kind.FILE_NAME, message, value=name))


def _read_header(records: RecordReader, *, all_needed: bool) -> tuple[str, ...]:
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
    renamed = any("; it has" in problem.message for problem in problems)
    problem = wrong_first_line([(line, text), *_next_lines(records)], separator_line=separator_line)
    if problem is None and undoubled is not None:
        problem = undoubled.problem(line)
    elif problem is None and not count_song_columns(names) and not renamed:
        problem = not_a_header(line, text)
    raise UnreadableFileError(*([problem] if problem else problems))


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
        block = records.take(LINES_SEARCHED) or Block()
    except UnreadableFileError:
        return []
    return [(line, block.text(index)[:MAX_HEADER_BYTES]) for index, line in enumerate(block.lines)]


def _check_row_names(block: Block, columns: ColumnPositions) -> None:
    """Refuse a table written by R with row names, for which the header has no cell.

    Raises:
        UnreadableFileError: each of the first rows has an extra first cell, and is a song without it.
    """
    width = len(columns.names)
    for index in range(min(len(block), LINES_SEARCHED)):
        try:
            cells = block.record(index)
            if len(cells) != width + 1 or parse_track_id(cells[columns.positions[TRACK_ID] + 1]) is None:
                return
        except (UndoubledQuoteError, WrongCellError):
            return
        if any(parse_number(cells[position + 1]) is None for position in columns.number_positions):
            return
    line = block.lines[0]
    message = (
        f"Line {line} has {width + 1} cells, the header {width}, and starts with {block.text(0)[:60]!r}: "
        "this looks like a table of R with row names. Write it with row.names = FALSE."
    )
    raise UnreadableFileError(SongFileProblem(Kind.RAGGED_ROW, message, line))
