"""Find the records of a CSV file, and split it into blocks of whole records.

A record ends at a line end outside quotes. numpy finds these in a whole buffer from the parity of preceding
quotes, in a third of the time that pandas takes to parse the file. This provides what fast parsers do
not: each record's physical line and exact number of cells. So a sound block can go to pandas, and any other
can be read cell by cell.

Parity only works if quotes follow RFC 4180. If one does not (`12" mix`), a regular expression finds records
one by one, with the strict rules of Python's csv module: a quote inside an unquoted cell is an ordinary
character, and a quoted cell that continues after its closing quote is invalid. Its record ends with the
physical line. `docs/decisions/csv-reader.md` explains why this is not left to a library.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.songs.problems import SongFileProblem, SongFileProblemKind, shortened

Positions = npt.NDArray[np.intp]
Bytes = npt.NDArray[np.uint8]

MAX_RECORD_BYTES = 2**20
"""Limit of a record; otherwise one open quote could load the whole file into memory."""

BOM = b"\xef\xbb\xbf"
LINE_BLANKS = b" \t"
"""The characters of blank lines."""

LF, CR, QUOTE, COMMA = b'\n\r",'

MAX_CELLS = 20_000
"""A record with irregular quotes and more cells counts as having an unclosed quote: the search keeps
every cell, and a malicious megabyte of commas would take half a gigabyte."""

# These are unambiguous, which avoids excessive backtracking. Possessive quantifiers are not used, because
# they have a bug in Python 3.11.2, Debian 12's version.
_QUOTED = rb'"[^"]*(?:""[^"]*)*"(?!")'
_CELL = rb"(?:" + _QUOTED + rb'(?=[,\r\n]|\Z)|(?!")[^,\r\n]*)'
_WRONG_CELL = _QUOTED + rb"[^,\r\n][^\r\n]*"
_RECORD = re.compile(
    rb"(?:" + _CELL + rb",){0,%d}(?:" % (MAX_CELLS - 1) + _CELL + rb"|" + _WRONG_CELL + rb")(\r\n|\r|\n|\Z)"
)
_QUOTED_TEXT = re.compile(r'"[^"]*(?:""[^"]*)*"(?!")')
_CELLS = re.compile(r',("[^"]*(?:""[^"]*)*"(?=,|\Z)|(?!")[^,]*)')
_CELL_END = re.compile(r"[,\r\n]")


class UnreadableFileError(Exception):
    """The file is not a song file, or cannot be read beyond some point. `problems` say why."""

    def __init__(self, *problems: SongFileProblem) -> None:
        self.problems = problems
        super().__init__(problems[0].message)

    @classmethod
    def of(
        cls, kind: SongFileProblemKind, message: str, line: int | None = None, value: str | None = None
    ) -> UnreadableFileError:
        """Return an error with one problem."""
        return cls(SongFileProblem(kind, message, line=line, value=value))


@dataclass(frozen=True, slots=True)
class FilePosition:
    """A position between two records of a file.

    Attributes:
        offset: the byte offset.
        line: the physical line, from 1, that starts here.
    """

    offset: int = 0
    line: int = 1


START = FilePosition()


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive whole records of a file, without blank lines.

    Attributes:
        data: their bytes as valid UTF-8 without NUL, including line ends and blank lines.
        starts: shape (n,): the start of each record in `data`.
        ends: shape (n,): its end, excluding its line end.
        lines: shape (n,): its first physical line in the file, from 1.
        cells: shape (n,): its number of cells; None if quotes are irregular.
    """

    data: bytes
    starts: Positions
    ends: Positions
    lines: Positions
    cells: Positions | None

    def __len__(self) -> int:
        return len(self.starts)

    def record(self, index: int) -> list[str]:
        """Return the unquoted cells of a record."""
        return split_cells(self.text(index))

    def text(self, index: int) -> str:
        """Return the original text of a record, without its line end."""
        return self.data[self.starts[index] : self.ends[index]].decode()

    def ends_file(self, index: int) -> bool:
        """Return whether a record has no line end, which is only possible at the end of the file."""
        return int(self.ends[index]) == len(self.data)

    def spans_lines(self, index: int) -> bool:
        """Return whether a record has line ends inside quotes."""
        record = self.data[self.starts[index] : self.ends[index]]
        return b"\n" in record or b"\r" in record


class UndoubledQuoteError(Exception):
    """A quoted cell contains a quote that is not doubled.

    Attributes:
        cell: the cell's position in its record, from 0.
        value: the original text of the cell.
    """

    def __init__(self, cell: int, value: str) -> None:
        self.cell = cell
        self.value = value
        super().__init__(value)

    def problem(self, line: int, column: str | None = None) -> SongFileProblem:
        """Return the problem for a record on this line."""
        value = shortened(self.value)
        where = f"Line {line}, column {column}" if column else f"Line {line}"
        message = f"{where}: quotes inside a quoted cell must be doubled, found {value!r}."
        return SongFileProblem(SongFileProblemKind.UNDOUBLED_QUOTE, message, line, column, value)


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
    index = start = 0
    while match := _CELLS.match("," + record, start):
        index, start = index + 1, match.end()
    closed = _QUOTED_TEXT.match(record, start)
    stop = _CELL_END.search(record, closed.end() if closed else start)
    return UndoubledQuoteError(index, record[start : stop.start() if stop else len(record)])


@dataclass(frozen=True, slots=True)
class Found:
    """Records found in a buffer, as in `Block`, with the start of each following record."""

    starts: Positions
    ends: Positions
    nexts: Positions
    cells: Positions | None

    def keep(self, which: npt.NDArray[np.bool_]) -> Found:
        """Return the selected records."""
        return Found(
            self.starts[which],
            self.ends[which],
            self.nexts[which],
            None if self.cells is None else self.cells[which],
        )


def line_breaks(buffer: Bytes, *, final: bool) -> tuple[Positions, Positions]:
    """Return the start and end of each line end (LF, CRLF or CR).

    A CR at the end of a buffer that is not the last one is left out: an LF may follow.
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


def quotes_are_regular(buffer: Bytes, quotes: Positions) -> bool:
    """Return whether each quote opens or closes a cell or is part of a doubled pair."""
    opening, closing = quotes[0::2], quotes[1::2]
    before = buffer[opening[opening > 0] - 1]
    after = buffer[closing[closing < len(buffer) - 1] + 1]
    return bool(_BESIDE_QUOTE[before].all() and _BESIDE_QUOTE[after].all())


def find_regular(
    buffer: Bytes, quotes: Positions, breaks: tuple[Positions, Positions], *, final: bool
) -> Found:
    """Find all complete records in a buffer with regular quotes."""
    outside = (np.searchsorted(quotes, breaks[0]) & 1) == 0
    ends, nexts = breaks[0][outside], breaks[1][outside]
    size = len(buffer)
    last = nexts[-1] if len(nexts) else 0
    if final and last < size and len(quotes) % 2 == 0:
        ends, nexts = np.append(ends, size), np.append(nexts, size)
    commas = np.flatnonzero(buffer == COMMA)
    at_quotes = np.searchsorted(commas, quotes[: len(quotes) // 2 * 2])
    quoted_commas = np.concatenate([[0], np.cumsum(at_quotes[1::2] - at_quotes[0::2])])
    # Both are cumulative counts of commas, so that their difference is the record's own count.
    commas_before = np.searchsorted(commas, ends) - quoted_commas[np.searchsorted(quotes, ends) // 2]
    starts = np.concatenate([[0], nexts[:-1]]).astype(np.intp) if len(nexts) else nexts
    return Found(starts, ends, nexts, np.diff(commas_before, prepend=0) + 1)


def find_one_by_one(data: bytes, size: int, limit: int, *, final: bool) -> tuple[Found, int]:
    """Find up to `limit` records in the first bytes, with any quotes, and the end of the search."""
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
        if data[start : match.start(1)].strip(LINE_BLANKS):
            starts.append(start)
            ends.append(match.start(1))
            nexts.append(match.end())
        start = match.end()
    return Found(np.array(starts, np.intp), np.array(ends, np.intp), np.array(nexts, np.intp), None), start
