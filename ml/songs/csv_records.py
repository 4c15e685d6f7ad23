"""Read the records of a CSV file in blocks, with bounded memory.

A record is a physical line, or several if line ends are quoted. Quotes follow Python's csv module in strict
mode: a quote inside an unquoted cell is an ordinary character, and a quoted cell that continues after its
closing quote is invalid; its record ends with the physical line. `docs/decisions/csv-reader.md` explains why
this is not left to a library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from ml.songs.header import BYTES_SEARCHED, foreign_format
from ml.songs.problems import SongFileProblem, shortened
from ml.songs.problems import SongFileProblemKind as Kind

READ_BYTES = 256 * 2**10
"""Bytes read at a time."""

MAX_RECORD_BYTES = 2**20
"""Limit of a record; otherwise one open quote could load the whole file into memory."""

MAX_BLOCK_BYTES = 8 * 2**20
"""Blocks of this size are returned even if they have fewer records than requested."""

MAX_CELLS = 20_000
"""A line with more cells and irregular quotes ends its record: regular expressions keep each repetition."""

BOM = b"\xef\xbb\xbf"

_BYTE_ORDER_MARKS = (BOM, BOM.decode("latin-1").encode())
"""The second is the first after being decoded as Latin-1 and encoded as UTF-8."""

_COMMA = ord(",")
_LINE_END = b"\r\n"
_BLANK = b" \t" + _LINE_END

# Unambiguous, which avoids excessive backtracking. Possessive quantifiers are not used, because they have a
# bug in Python 3.11.2, Debian 12's version.
_OPEN_CELL = rb'"[^"]*(?:""[^"]*)*'
_OPEN_LINE = re.compile(rb'(?:,(?:%s"(?=,)|(?!")[^,]*)){0,%d},%s' % (_OPEN_CELL, MAX_CELLS, _OPEN_CELL))
_QUOTED_TEXT = re.compile(r'"[^"]*(?:""[^"]*)*"(?!")')
_CELLS = re.compile(r',("[^"]*(?:""[^"]*)*"(?=,|\Z)|(?!")[^,]*)')
_CELL_END = re.compile(r"[,\r\n]")


class UnreadableFileError(Exception):
    """The file is not a song file, or cannot be read beyond some point. `problems` say why."""

    def __init__(self, *problems: SongFileProblem) -> None:
        self.problems = problems
        super().__init__(problems[0].message)


@dataclass(frozen=True, slots=True)
class FilePosition:
    """A position between two records of a file: a byte offset, and the physical line that starts there."""

    offset: int = 0
    line: int = 1


START = FilePosition()


@dataclass(slots=True)
class Block:
    """Consecutive whole records of a file, without blank lines.

    Attributes:
        records: their bytes with line ends, as valid UTF-8 without NUL.
        lines: the number of each record's first physical line, from 1.
        regular: whether each quote opens or closes a cell or is part of a doubled pair.
    """

    records: list[bytes] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    regular: bool = True

    def __len__(self) -> int:
        return len(self.records)

    def record(self, index: int) -> list[str]:
        """Return the unquoted cells of a record."""
        return split_cells(self.text(index))

    def text(self, index: int) -> str:
        """Return the original text of a record, without its line end."""
        return self.records[index].rstrip(_LINE_END).decode()


class RecordReader:
    """Reads the records of a CSV in blocks."""

    def __init__(self, file: BinaryIO, start: FilePosition = START) -> None:
        """Start to read a binary file that is positioned at `start`."""
        self._offset, self._line = start.offset, start.line
        self._lines = self._physical_lines(file)

    @property
    def position(self) -> FilePosition:
        """The position of the next record, or of blank lines before it."""
        return FilePosition(self._offset, self._line)

    def take(self, count: int) -> Block | None:
        """Return the next `count` records, fewer if they are large; None at the end of the file.

        Raises:
            UnreadableFileError: the file is binary or not UTF-8, a quote is never closed, or a record is
                larger than 1 MiB.
        """
        block, size = Block(), 0
        while len(block.records) < count and size < MAX_BLOCK_BYTES:
            line = self._line
            record, regular = self._next_record()
            if not record:
                break
            if record.strip(_BLANK):
                block.records.append(record)
                block.lines.append(line)
                block.regular &= regular
                size += len(record)
        return block if block.records else None

    def _next_record(self) -> tuple[bytes, bool]:
        """Return the next record or blank line, empty at the end, and whether its quotes are regular."""
        lines: list[bytes] = []
        size, is_open, regular = 0, False, True
        for line in self._lines:
            if is_open or b'"' in line:
                is_open, is_regular = _read_quotes(line, is_open)
                regular &= is_regular
            if size + len(line) > MAX_RECORD_BYTES and size + len(line.rstrip(_LINE_END)) > MAX_RECORD_BYTES:
                if is_open:
                    break
                raise self._bad_row(Kind.ROW_TOO_LONG, f"is longer than {MAX_RECORD_BYTES // 2**20} MiB")
            if not line.isascii():
                self._check_encoding(line, size, self._line + len(lines))
            lines.append(line)
            size += len(line)
            if not is_open:
                break
        if is_open:
            raise self._bad_row(Kind.UNCLOSED_QUOTE, "has a quote that is never closed")
        self._offset += size
        self._line += len(lines)
        return b"".join(lines), regular

    def _physical_lines(self, file: BinaryIO) -> Iterator[bytes]:
        """Yield lines with their ends; the start of a line that is too long."""
        part = file.read(READ_BYTES) if self._offset else self._read_start(file)
        rest, number = b"", self._line
        while part:
            data = rest + part
            if (nul := data.find(b"\0", len(rest))) >= 0:
                line = number - 1 + len(data[: nul + 1].splitlines())
                message = f"Line {line} has a null byte, so this is a binary file and not a CSV."
                raise UnreadableFileError(SongFileProblem(Kind.NOT_TEXT, message, line))
            lines = data.splitlines(keepends=True)
            rest = lines.pop()  # it may continue in the next part
            number += len(lines)
            yield from lines
            if len(rest) > MAX_RECORD_BYTES + len(_LINE_END):
                yield rest
            part = file.read(READ_BYTES)
        if rest:
            yield rest

    def _read_start(self, file: BinaryIO) -> bytes:
        """Read the first lines without byte order marks, and refuse files of other formats."""
        start = b""
        while len(start) < BYTES_SEARCHED and (part := file.read(READ_BYTES)):
            start += part
        while mark := next(filter(start.startswith, _BYTE_ORDER_MARKS), None):
            start = start[len(mark) :]
            self._offset += len(mark)
        if (problem := foreign_format(start)) is not None:
            raise UnreadableFileError(problem)
        return start

    def _check_encoding(self, data: bytes, before: int, line: int) -> None:
        try:
            data.decode()
        except UnicodeDecodeError as error:
            byte = f"0x{data[error.start]:02x}"
            message = (
                f"Line {line} is not UTF-8 text: byte {byte} at offset {self._offset + before + error.start} "
                "of the file; save it as CSV UTF-8."
            )
            problem = SongFileProblem(Kind.ENCODING, message, line, value=byte)
            raise UnreadableFileError(problem) from None

    def _bad_row(self, kind: Kind, what: str) -> UnreadableFileError:
        message = f"The row that starts on line {self._line} {what}."
        return UnreadableFileError(SongFileProblem(kind, message, self._line))


def _read_quotes(line: bytes, is_open: bool) -> tuple[bool, bool]:
    """Return whether a quoted cell is open after a line, and whether the line's quotes are regular.

    `is_open` is whether a quoted cell is open before it.
    """
    text = (b',"%s,' if is_open else b",%s,") % line.rstrip(_LINE_END)
    parts = text.split(b'"')
    for outside in parts[::2]:
        if outside and not outside[0] == outside[-1] == _COMMA:
            return _OPEN_LINE.fullmatch(text) is not None, False
    return len(parts) % 2 == 0, True


class UndoubledQuoteError(Exception):
    """A quoted cell, at a position in its record, contains a quote that is not doubled."""

    def __init__(self, position: int, value: str) -> None:
        self.position = position
        self.value = value
        super().__init__(value)

    def problem(self, line: int, column: str | None = None) -> SongFileProblem:
        """Return the problem for a record on this line."""
        value = shortened(self.value)
        where = f"Line {line}, column {column}" if column else f"Line {line}"
        message = f"{where}: quotes inside a quoted cell must be doubled, found {value!r}."
        return SongFileProblem(Kind.UNDOUBLED_QUOTE, message, line, column, value)


def split_cells(record: str) -> list[str]:
    """Split a record without its line end into unquoted cells.

    Raises:
        UndoubledQuoteError: a quoted cell continues after its closing quote.
    """
    if '"' not in record:
        return record.split(",")
    cells: list[str] = _CELLS.findall("," + record)
    if sum(map(len, cells)) + len(cells) != len(record) + 1:  # characters between cells were skipped
        raise _undoubled_quote(record)
    return [cell[1:-1].replace('""', '"') if cell[:1] == '"' else cell for cell in cells]


def _undoubled_quote(record: str) -> UndoubledQuoteError:
    text = "," + record
    index = start = 0
    while match := _CELLS.match(text, start):
        index, start = index + 1, match.end()
    closed = _QUOTED_TEXT.match(record, start)
    stop = _CELL_END.search(record, closed.end() if closed else start)
    return UndoubledQuoteError(index, record[start : stop.start() if stop else len(record)])
