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
"""Approximate size of a range."""

STEP_ROWS = 100
"""Maximum rows between checks of the size."""


@dataclass(frozen=True, slots=True)
class CsvRange:
    """Consecutive whole records of a song CSV, and in a file's first range its header.

    `size` is the number of bytes; None for a range that becomes unreadable before the end of the file.
    `header` are the column names; None in the first range.
    """

    start: FilePosition = START
    size: int | None = None
    header: tuple[str, ...] | None = None

    def read(self, file: BinaryIO, name: str, on_missing_value: OnMissingValue) -> SongFile:
        """Return a reader of this range of a seekable file that skips invalid rows.

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
            start=SongFileState(self.start, self.header),
        )


def csv_ranges(
    file: BinaryIO,
    name: str,
    on_missing_value: OnMissingValue,
    range_bytes: int = RANGE_BYTES,
    step_rows: int = STEP_ROWS,
) -> Iterator[CsvRange]:
    """Split a song CSV into ranges of at least one record each.

    If a problem makes the file unreadable, the reader of the last range reports it.
    """
    header: tuple[str, ...] | None = None
    start, any_rows = START, True  # a file without rows is a range too, whose reader reports that
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
