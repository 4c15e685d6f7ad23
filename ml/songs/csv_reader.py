"""Read a CSV file in blocks of whole records, with bounded memory."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ml.songs.csv_records import (
    BOM,
    LINE_BLANKS,
    MAX_RECORD_BYTES,
    QUOTE,
    START,
    Block,
    FilePosition,
    Found,
    Positions,
    UnreadableFileError,
    find_one_by_one,
    find_regular,
    line_breaks,
    quotes_are_regular,
)
from ml.songs.first_line import foreign_format
from ml.songs.problems import SongFileProblemKind

_Kind = SongFileProblemKind

MAX_BLOCK_BYTES = 8 * 2**20
"""Blocks of this size are returned even if they have fewer records than requested."""

MAX_MARKS = 200_000
"""Bytes searched at a time: the positions of line ends and quotes can take many times their size."""

MOST_ONE_BY_ONE = 100_000
"""Records found at a time if quotes are irregular; then the buffer is searched again."""

FIRST_READ_BYTES = 64 * 2**10

_NONE: Positions = np.zeros(0, dtype=np.intp)

_MARKS = (b"\n", b"\r", b'"')

_BYTE_ORDER_MARKS = (BOM, BOM.decode("latin-1").encode())
"""The second is the first after being decoded as Latin-1 and encoded as UTF-8."""


class RecordReader:
    """Reads the records of a CSV from a binary file in blocks, with bounded memory."""

    def __init__(self, file: BinaryIO, start: FilePosition = START) -> None:
        """Initialize the reader.

        Args:
            file: a binary file, positioned at `start`.
            start: a position returned by a reader of this file.
        """
        self._file = file
        self._at_end = False
        self._buffer = b""
        self._buffer_line = start.line  # the physical line at the start of the buffer
        self._buffer_offset = start.offset  # the buffer's offset in the file
        self._breaks = _NONE  # ends of lines in the buffer
        self._found = Found(_NONE, _NONE, _NONE, _NONE)  # records in the buffer
        self._taken = 0  # the number of records returned
        self._scanned = 0  # the end of the searched part
        self._exhausted = False  # there are no more records
        self._limited = False  # the search stopped early with enough records
        self._bytes_per_record = 0.0

    def take(self, count: int) -> Block | None:
        """Return the next `count` records; fewer if the file ends, or if they are large.

        Returns:
            A block of at least one record, or None at the end of the file.

        Raises:
            UnreadableFileError: the file is binary or not UTF-8, a quote is never closed, or a record is
                larger than 1 MiB.
        """
        while self._remaining < count and not self._exhausted:
            if self._remaining and (self._limited or len(self._buffer) >= MAX_BLOCK_BYTES):
                break  # another search would find the same
            self._refill(count)
        if self._remaining:
            return self._block(min(count, self._remaining))
        if self._scanned < len(self._buffer):
            raise self._endless_record()
        return None

    @property
    def position(self) -> FilePosition:
        """The position of the next record, or of blank lines before it."""
        at = int(self._found.nexts[self._taken - 1]) if self._taken else 0
        return FilePosition(self._buffer_offset + at, self._line_of(at))

    @property
    def _remaining(self) -> int:
        return len(self._found.starts) - self._taken

    def _refill(self, count: int) -> None:
        """Drop returned records, read more, and find the records in the new buffer."""
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
        break_starts, self._breaks = line_breaks(buffer, final=final)
        quotes = np.flatnonzero(buffer == QUOTE)
        self._limited = window < len(self._buffer)
        if quotes_are_regular(buffer, quotes):
            found = find_regular(buffer, quotes, (break_starts, self._breaks), final=final)
            self._scanned = int(found.nexts[-1]) if len(found.nexts) else 0
            self._found = found.keep(~self._blank(found))
        else:
            limit = max(count, MOST_ONE_BY_ONE)
            self._found, self._scanned = find_one_by_one(self._buffer, window, limit, final=final)
            self._limited |= len(self._found.starts) == limit

    def _drop(self, position: int) -> None:
        self._buffer_line = self._line_of(position)
        self._buffer_offset += position
        self._buffer = self._buffer[position:]
        self._taken = 0

    def _read(self, count: int) -> None:
        """Read enough for about `count` records, and always more than before."""
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
                line_breaks(np.frombuffer(self._buffer[:nul], np.uint8), final=True)[0]
            )
            message = f"Line {line} has a null byte, so this is a binary file and not a CSV."
            raise UnreadableFileError.of(_Kind.NOT_TEXT, message, line)

    def _check_start(self) -> None:
        """Skip byte order marks, and refuse files of other formats."""
        while mark := next(filter(self._buffer.startswith, _BYTE_ORDER_MARKS), None):
            self._buffer = self._buffer[len(mark) :]
            self._buffer_offset += len(mark)
        problem = foreign_format(self._buffer)
        if problem is not None:
            raise UnreadableFileError(problem)

    def _blank(self, found: Found) -> npt.NDArray[np.bool_]:
        """Return which records are blank lines."""
        blank: npt.NDArray[np.bool_] = found.ends == found.starts
        one_cell = found.ends >= found.starts if found.cells is None else found.cells == 1
        for index in np.flatnonzero(~blank & one_cell):
            blank[index] = not self._buffer[found.starts[index] : found.ends[index]].strip(LINE_BLANKS)
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
        message = (
            f"Line {line} is not UTF-8 text: byte {byte} at offset {self._buffer_offset + position} "
            "of the file; save it as CSV UTF-8."
        )
        return UnreadableFileError.of(_Kind.ENCODING, message, line, byte)

    def _endless_record(self) -> UnreadableFileError:
        """Return the error for a buffer in which no record ends."""
        line = self._line_of(self._scanned)
        if not self._at_end and b'"' not in self._buffer[self._scanned :]:
            return _record_too_long(line)
        message = f"The row that starts on line {line} has a quote that is never closed."
        return UnreadableFileError.of(_Kind.UNCLOSED_QUOTE, message, line)


def _record_too_long(line: int) -> UnreadableFileError:
    message = f"The row that starts on line {line} is longer than {MAX_RECORD_BYTES // 2**20} MiB."
    return UnreadableFileError.of(_Kind.ROW_TOO_LONG, message, line)
