"""Where the records of a CSV file start and end: the bytes of a file as blocks of whole records.

A record ends at a line end outside quotes. Finding those line ends over a whole buffer with numpy, from
the parity of the quotes before them, costs a third of what parsing the file with pandas does, and it
tells what no fast parser does: each record's physical line and its exact number of cells. So a block can
be given to pandas when it is sound, and be read cell by cell when it is not, with nothing to look up
again in the file.

Parity is right only while quotes stand where RFC 4180 wants them. Where one does not (`12" mix`), records
are found one by one with a regular expression that follows the rules of Python's csv module: a quote
inside an unquoted cell is a character like any other, and what follows a closing quote is kept as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ml.song_file_problems import SongFileProblem, SongFileProblemKind

Positions = npt.NDArray[np.intp]
Bytes = npt.NDArray[np.uint8]

MAX_RECORD_BYTES = 2**20
"""A longer record is refused; without a limit one open quote would pull the whole file into memory."""

MAX_BLOCK_BYTES = 8 * 2**20
"""A block is given out at this size even if it has fewer records than asked for."""

MAX_MARKS = 200_000
"""Line ends and quotes searched at a time: positions of a buffer full of them take many times its size."""

MOST_ONE_BY_ONE = 100_000
"""Records found at a time where quotes stand in odd places; after them the buffer is searched anew."""

FIRST_READ_BYTES = 64 * 2**10

_NONE: Positions = np.zeros(0, dtype=np.intp)

_MARKS = (b"\n", b"\r", b'"')

_LINE_BLANKS = b" \t"
"""A line of nothing else is blank."""

BOM = b"\xef\xbb\xbf"
LF, CR, QUOTE, COMMA = b'\n\r",'

MAX_CELLS = 20_000
"""A record with odd quotes and more cells is taken for one whose quote never closes: the search for its
end remembers every cell, and a hostile megabyte of commas would fill half a gigabyte."""

# Every text has one parse by these, so that failing costs no more than going back once. Possessive
# quantifiers would say the same, but match wrongly in Python 3.11.2, which is Debian 12's.
_QUOTED = rb'"[^"]*(?:""[^"]*)*"(?!")'
_CELL = rb"(?:" + _QUOTED + rb'[^,\r\n]*|(?!")[^,\r\n]*)'
_RECORD = re.compile(_CELL + rb"(?:," + _CELL + rb"){0,%d}(\r\n|\r|\n|\Z)" % (MAX_CELLS - 1))
_CELLS = re.compile(r',("[^"]*(?:""[^"]*)*"(?!")[^,]*|(?!")[^,]*)')

_FOREIGN_STARTS = (
    (b"PK\x03\x04", "an Excel workbook or a zip archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF document"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
)


class UnreadableFileError(Exception):
    """The bytes are no CSV at all, from some place on. `problem` says why."""

    def __init__(self, problem: SongFileProblem) -> None:
        self.problem = problem
        super().__init__(problem.message)


@dataclass(frozen=True, slots=True)
class FilePosition:
    """A place between two records of a file.

    Attributes:
        offset: bytes of the file before it.
        line: the physical line, from 1, that starts there.
    """

    offset: int = 0
    line: int = 1


START = FilePosition()


@dataclass(frozen=True, slots=True)
class Block:
    """Some whole records of a file, one after another; blank lines between them are no records.

    Attributes:
        data: their bytes, valid UTF-8, without NUL, line ends and blank lines included.
        starts: shape (n,): where in `data` each record starts.
        ends: shape (n,): where it ends, without its line end.
        lines: shape (n,): the physical line of the file, from 1, on which it starts.
        cells: shape (n,): its number of cells; None if quotes stand in odd places.
    """

    data: bytes
    starts: Positions
    ends: Positions
    lines: Positions
    cells: Positions | None

    def __len__(self) -> int:
        return len(self.starts)

    def record(self, index: int) -> list[str]:
        """Return the cells of a record, without their quotes."""
        return split_cells(self.data[self.starts[index] : self.ends[index]].decode())

    def spans_lines(self, index: int) -> bool:
        """Tell whether a record holds line ends inside quotes."""
        record = self.data[self.starts[index] : self.ends[index]]
        return b"\n" in record or b"\r" in record


def count_line_ends(file: BinaryIO) -> int:
    """Return how many CR and LF follow in a file, which is at least the number of its records less one."""
    count = 0
    while data := file.read(2**20):
        count += data.count(b"\n") + data.count(b"\r")
    return count


def split_cells(record: str) -> list[str]:
    """Split one record, without its line end, into its cells, without their quotes."""
    if '"' not in record:
        return record.split(",")
    return [_unquoted(cell) if cell[:1] == '"' else cell for cell in _CELLS.findall("," + record)]


def _unquoted(cell: str) -> str:
    """Return what a cell that starts with a quote means: `"a ""b"" c"d` is `a "b" cd`."""
    closing = cell.rfind('"')
    if closing == len(cell) - 1 and '"' not in cell[1:closing]:
        return cell[1:closing]
    quoted = _QUOTED_TEXT.match(cell)
    assert quoted is not None  # _CELLS let it start with a quote only if one closes it
    return quoted[1].replace('""', '"') + cell[quoted.end() :]


_QUOTED_TEXT = re.compile(r'"([^"]*(?:""[^"]*)*)"(?!")')


@dataclass(frozen=True, slots=True)
class _Found:
    """Records found in a buffer: as in `Block`, and where the record after each one starts."""

    starts: Positions
    ends: Positions
    nexts: Positions
    cells: Positions | None

    def keep(self, which: npt.NDArray[np.bool_]) -> _Found:
        return _Found(
            self.starts[which],
            self.ends[which],
            self.nexts[which],
            None if self.cells is None else self.cells[which],
        )


def _line_breaks(buffer: Bytes, *, final: bool) -> tuple[Positions, Positions]:
    """Return where each physical line's end (LF, CRLF or CR) starts and stops.

    A CR at the very end of a buffer that is not the last one is left out: its LF may still come.
    """
    starts = np.flatnonzero(buffer == LF)
    stops = starts + 1
    returns = np.flatnonzero(buffer == CR)
    if len(returns):
        after_return = (starts > 0) & (buffer[starts - 1] == CR)
        starts = starts - after_return
        at_end = returns == len(buffer) - 1
        alone = at_end | (buffer[np.minimum(returns + 1, len(buffer) - 1)] != LF)
        if not final:
            alone &= ~at_end
        starts = np.sort(np.concatenate([starts, returns[alone]]))
        stops = np.sort(np.concatenate([stops, returns[alone] + 1]))
    return starts, stops


_BESIDE_QUOTE = np.zeros(256, dtype=np.bool_)
_BESIDE_QUOTE[[LF, CR, QUOTE, COMMA]] = True


def _quotes_are_regular(buffer: Bytes, quotes: Positions) -> bool:
    """Tell whether each quote opens or closes a whole cell or is one of a doubled pair."""
    opening, closing = quotes[0::2], quotes[1::2]
    before = buffer[opening[opening > 0] - 1]
    after = buffer[closing[closing < len(buffer) - 1] + 1]
    return bool(_BESIDE_QUOTE[before].all() and _BESIDE_QUOTE[after].all())


def _find_regular(
    buffer: Bytes, quotes: Positions, breaks: tuple[Positions, Positions], *, final: bool
) -> _Found:
    """Find all complete records of a buffer whose quotes are regular."""
    outside = (np.searchsorted(quotes, breaks[0]) & 1) == 0
    ends, nexts = breaks[0][outside], breaks[1][outside]
    size = len(buffer)
    last = nexts[-1] if len(nexts) else 0
    if final and last < size and len(quotes) % 2 == 0:
        ends, nexts = np.append(ends, size), np.append(nexts, size)
    commas = np.flatnonzero(buffer == COMMA)
    at_quotes = np.searchsorted(commas, quotes[: len(quotes) // 2 * 2])
    quoted_commas = np.concatenate([[0], np.cumsum(at_quotes[1::2] - at_quotes[0::2])])
    # Both counts are of all commas up to a record's end, so that their differences are the record's own.
    commas_before = np.searchsorted(commas, ends) - quoted_commas[np.searchsorted(quotes, ends) // 2]
    starts = np.concatenate([[0], nexts[:-1]]).astype(np.intp) if len(nexts) else nexts
    return _Found(starts, ends, nexts, np.diff(commas_before, prepend=0) + 1)


def _find_one_by_one(data: bytes, size: int, limit: int, *, final: bool) -> tuple[_Found, int]:
    """Find up to `limit` records in the first bytes, whatever their quotes, and where the search ended."""
    starts: list[int] = []
    ends: list[int] = []
    nexts: list[int] = []
    start = 0
    while start < size and len(starts) < limit:
        match = _RECORD.match(data, start, size)
        if match is None or (
            not final and (match.end() == size and match[1] != b"\n" and match[1] != b"\r\n")
        ):
            break
        if data[start : match.start(1)].strip(_LINE_BLANKS):
            starts.append(start)
            ends.append(match.start(1))
            nexts.append(match.end())
        start = match.end()
    return _Found(np.array(starts, np.intp), np.array(ends, np.intp), np.array(nexts, np.intp), None), start


class RecordReader:
    """Reads the records of a CSV from a binary file, block by block, in memory of a fixed size."""

    def __init__(self, file: BinaryIO, start: FilePosition = START) -> None:
        """Make the reader.

        Args:
            file: gives out the bytes from `start` on.
            start: a position that a reader of this file has told.
        """
        self._file = file
        self._at_end = False
        self._buffer = b""
        self._buffer_line = start.line  # the physical line on which the buffer starts
        self._buffer_offset = start.offset  # the byte of the file with which it starts
        self._breaks = _NONE  # where lines stop in the buffer
        self._found = _Found(_NONE, _NONE, _NONE, _NONE)  # its records
        self._taken = 0  # how many of them were given out
        self._scanned = 0  # up to where it was searched
        self._exhausted = False  # nothing more will be found
        self._limited = False  # the search stopped early, having found enough
        self._bytes_per_record = 0.0

    def take(self, count: int) -> Block | None:
        """Return the next `count` records; fewer where the file ends or they are large or full of line ends.

        Returns:
            A block of at least one record, or None at the end of the file.

        Raises:
            UnreadableFileError: the file is binary or not UTF-8, a quote is never closed, or a record is
                larger than 1 MiB.
        """
        while self._remaining < count and not self._exhausted:
            if self._remaining and (self._limited or len(self._buffer) >= MAX_BLOCK_BYTES):
                break  # searching the same buffer again would find the same
            self._refill(count)
        if self._remaining:
            return self._block(min(count, self._remaining))
        if self._scanned < len(self._buffer):
            raise self._endless_record()
        return None

    @property
    def position(self) -> FilePosition:
        """Where the first record is that was not given out yet, or blank lines before it."""
        at = int(self._found.nexts[self._taken - 1]) if self._taken else 0
        return FilePosition(self._buffer_offset + at, self._line_of(at))

    @property
    def _remaining(self) -> int:
        return len(self._found.starts) - self._taken

    def _refill(self, count: int) -> None:
        """Drop what was given out, read on, and find the records of the new buffer."""
        self._drop(int(self._found.starts[self._taken]) if self._remaining else self._scanned)
        if not self._limited:
            self._read(count)
        size = window = len(self._buffer)
        while (
            window > FIRST_READ_BYTES
            and sum(self._buffer.count(mark, 0, window) for mark in _MARKS) > MAX_MARKS
        ):
            window //= 2
        self._search(window, count)
        while not self._scanned and window < size:
            window = min(2 * window, size)
            self._search(window, count)
        self._exhausted = self._at_end and not self._limited
        if self._remaining:
            self._bytes_per_record = self._scanned / self._remaining
        elif not self._scanned and len(self._buffer) >= MAX_RECORD_BYTES:
            raise self._endless_record()

    def _search(self, window: int, count: int) -> None:
        """Find the records that start and end in the first bytes of the buffer."""
        final = self._at_end and window == len(self._buffer)
        buffer = np.frombuffer(self._buffer, np.uint8, window)
        break_starts, self._breaks = _line_breaks(buffer, final=final)
        quotes = np.flatnonzero(buffer == QUOTE)
        self._limited = window < len(self._buffer)
        if _quotes_are_regular(buffer, quotes):
            found = _find_regular(buffer, quotes, (break_starts, self._breaks), final=final)
            self._scanned = int(found.nexts[-1]) if len(found.nexts) else 0
            self._found = found.keep(~self._blank(found))
        else:
            limit = max(count, MOST_ONE_BY_ONE)
            self._found, self._scanned = _find_one_by_one(self._buffer, window, limit, final=final)
            self._limited |= len(self._found.starts) == limit

    def _drop(self, position: int) -> None:
        self._buffer_line = self._line_of(position)
        self._buffer_offset += position
        self._buffer = self._buffer[position:]
        self._taken = 0

    def _read(self, count: int) -> None:
        """Read so much that the buffer may hold `count` records, and in any case more than before."""
        wanted = min(max(FIRST_READ_BYTES, int(self._bytes_per_record * count * 1.05)), MAX_BLOCK_BYTES)
        size = len(self._buffer)
        if size >= wanted:
            wanted = size + max(FIRST_READ_BYTES, size // 4)
        parts = [self._buffer]
        while size < wanted and not self._at_end:
            part = self._file.read(wanted - size)
            self._at_end = not part
            parts.append(part)
            size += len(part)
        known = len(self._buffer)
        self._buffer = b"".join(parts)
        if self._buffer_offset == 0 and known == 0:
            self._check_start()
        nul = self._buffer.find(b"\0", known)
        if nul >= 0:
            line = self._buffer_line + len(
                _line_breaks(np.frombuffer(self._buffer[:nul], np.uint8), final=True)[0]
            )
            raise UnreadableFileError(
                SongFileProblem(
                    SongFileProblemKind.NOT_TEXT,
                    f"Line {line} holds a zero byte, so this is a binary file and no CSV.",
                    line=line,
                )
            )

    def _check_start(self) -> None:
        """Refuse files of known other formats, and skip a byte order mark."""
        for start, what in _FOREIGN_STARTS:
            if self._buffer.startswith(start):
                raise UnreadableFileError(
                    SongFileProblem(
                        SongFileProblemKind.NOT_TEXT,
                        f"This looks like {what}; save it as CSV (comma separated, UTF-8).",
                    )
                )
        if self._buffer.startswith(BOM):
            self._buffer = self._buffer[len(BOM) :]
            self._buffer_offset = len(BOM)

    def _blank(self, found: _Found) -> npt.NDArray[np.bool_]:
        """Tell which records are lines of nothing but spaces and tabs."""
        blank: npt.NDArray[np.bool_] = found.ends == found.starts
        one_cell = found.ends >= found.starts if found.cells is None else found.cells == 1
        for index in np.flatnonzero(~blank & one_cell):
            blank[index] = not self._buffer[found.starts[index] : found.ends[index]].strip(_LINE_BLANKS)
        return blank

    def _line_of(self, position: int) -> int:
        return self._buffer_line + int(np.searchsorted(self._breaks, position, side="right"))

    def _block(self, count: int) -> Block:
        chosen = slice(self._taken, self._taken + count)
        found = self._found
        starts, ends = found.starts[chosen], found.ends[chosen]
        first, last = int(starts[0]), int(found.nexts[chosen][-1])
        too_long = np.flatnonzero(ends - starts > MAX_RECORD_BYTES)
        if len(too_long):
            raise _record_too_long(self._line_of(int(starts[too_long[0]])))
        data = self._buffer[first:last]
        try:
            data.decode()
        except UnicodeDecodeError as error:
            raise self._not_utf8(first + error.start) from None
        lines = self._buffer_line + np.searchsorted(self._breaks, starts, side="right")
        self._taken += count
        return Block(
            data, starts - first, ends - first, lines, None if found.cells is None else found.cells[chosen]
        )

    def _not_utf8(self, position: int) -> UnreadableFileError:
        line = self._line_of(position)
        byte = f"0x{self._buffer[position]:02x}"
        return UnreadableFileError(
            SongFileProblem(
                SongFileProblemKind.ENCODING,
                f"Line {line} is not UTF-8 text: byte {byte} at offset {self._buffer_offset + position} "
                "of the file; save it as CSV UTF-8.",
                line=line,
                value=byte,
            )
        )

    def _endless_record(self) -> UnreadableFileError:
        """Return the error for a buffer in which no record ends."""
        line = self._line_of(self._scanned)
        if not self._at_end and b'"' not in self._buffer[self._scanned :]:
            return _record_too_long(line)
        return UnreadableFileError(
            SongFileProblem(
                SongFileProblemKind.UNCLOSED_QUOTE,
                f"The row that starts on line {line} has a quote that is never closed.",
                line=line,
            )
        )


def _record_too_long(line: int) -> UnreadableFileError:
    return UnreadableFileError(
        SongFileProblem(
            SongFileProblemKind.ROW_TOO_LONG,
            f"The row that starts on line {line} is longer than {MAX_RECORD_BYTES // 2**20} MiB.",
            line=line,
        )
    )
