"""Split a large song CSV between records, so that several processes can read it.

Splitting at line ends is not enough, since quoted cells may contain them. Records are found without parsing
cells, and each range knows its first physical line, so that problems have the right line numbers.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ml.songs.csv_records import START, FilePosition, RecordReader, UnreadableFileError
from ml.songs.csv_songs import SongFile, SongFileState
from ml.songs.problems import InvalidSongFileError, OnInvalidRow, OnMissingValue

RANGE_BYTES = 8 * 2**20
"""Of a range, about."""

STEP_ROWS = 100
"""Maximum rows between checks of the size."""


@dataclass(frozen=True, slots=True)
class CsvRange:
    """Some whole records of a song CSV.

    Attributes:
        start: where the first of them starts; the first range of a file starts with its header.
        size: bytes up to the end of the last; None up to the end of the file, which cannot be read to there.
        header: the names of the columns; None in the first range of a file.
    """

    start: FilePosition = START
    size: int | None = None
    header: tuple[str, ...] | None = None

    def read(self, file: BinaryIO, name: str, on_missing_value: OnMissingValue) -> SongFile:
        """Return the songs of the range, leaving wrong rows out, with the line numbers of the whole file.

        Args:
            file: the whole file, seekable.
            name: of the file.
            on_missing_value: what to do about rows with missing values.

        Raises:
            EOFError: the file is shorter than it was.
        """
        file.seek(self.start.offset)
        if self.size is not None:
            file = io.BytesIO(file.read(self.size))
            if len(file.getbuffer()) < self.size:
                raise EOFError
        return SongFile(
            file,
            name=name,
            on_invalid_row=OnInvalidRow.SKIP_ROW,
            on_missing_value=on_missing_value,
            state=SongFileState(self.start, self.header),
        )


def csv_ranges(
    file: BinaryIO,
    name: str,
    on_missing_value: OnMissingValue,
    range_bytes: int = RANGE_BYTES,
    step_rows: int = STEP_ROWS,
) -> Iterator[CsvRange]:
    """Split a song CSV into ranges of at least one record each.

    The reader of the last range reports a problem that makes the file unreadable.

    Args:
        file: the whole file.
        name: of the file.
        on_missing_value: whether the file may lack columns.
        range_bytes: a range ends after this many, about.
        step_rows: how many rows are found at a time.
    """
    header: tuple[str, ...] | None = None
    start, any_rows = START, True  # a file without rows is a range too: that of its problem
    try:
        song_file = SongFile(file, name=name, on_missing_value=on_missing_value)
        columns = song_file.read_header()
        file.seek(song_file.state.position.offset)
        records = RecordReader(file, song_file.state.position)
        while records.take(step_rows) is not None:
            any_rows = True
            if (size := records.position.offset - start.offset) >= range_bytes:
                yield CsvRange(start, size, header)
                header, start, any_rows = columns, records.position, False
    except (UnreadableFileError, InvalidSongFileError):
        yield CsvRange(start, None, header)
        return
    if any_rows:
        yield CsvRange(start, records.position.offset - start.offset, header)
