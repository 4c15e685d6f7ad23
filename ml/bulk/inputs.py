"""Find input files by path, glob or object-store URL, and split CSV files into ranges of rows.

CSV files are split between records, so that several processes can read them. Splitting at line ends is not
enough, since quoted cells may contain them. Records are found without parsing cells, and each range knows its
first physical line, so that problems have the right line numbers.
"""

from __future__ import annotations

import io
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import has_magic
from typing import Any, BinaryIO, cast

from fsspec.core import url_to_fs  # type: ignore[import-untyped]

from ml.errors import UsageError, UserError
from ml.songs.csv_records import START, FilePosition, RecordReader, UnreadableFileError
from ml.songs.csv_songs import SongFile, SongFileState
from ml.songs.problems import InvalidSongFileError, OnInvalidRow, OnMissingValue

RANGE_BYTES = 8 * 2**20
"""Approximate size of a range."""

STEP_ROWS = 100
"""Maximum rows between checks of a range's size."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """An input file, by its URL, for any process with access to the same storage; `size` is in bytes."""

    url: str
    size: int

    @property
    def name(self) -> str:
        """The name without the folder."""
        return posixpath.basename(self.url)

    @property
    def shown(self) -> str:
        """The name for users: the path of a local file, or the URL."""
        return self.url.removeprefix("file://")

    @property
    def is_parquet(self) -> bool:
        """Whether it is a Parquet file; otherwise it is CSV."""
        return self.name.lower().endswith((".parquet", ".pq"))

    def open(self) -> BinaryIO:
        """Open it for reading, seekable.

        Raises:
            UserError: it cannot be opened.
        """
        filesystem, path = url_to_fs(self.url)
        try:
            return cast("BinaryIO", filesystem.open(path, "rb"))
        except OSError as error:
            raise UserError(f"{self.shown} cannot be opened: {error.strerror or error}") from error


def filesystem_of(url: str) -> tuple[Any, str]:
    """Return the fsspec file system of a path or URL, and the path in it.

    Raises:
        UsageError: the protocol is unknown, or its package is not installed.
    """
    try:
        filesystem, path = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise UsageError(f"{url}: {error}") from error
    return filesystem, str(path)


def find_inputs(inputs: Sequence[str]) -> list[InputFile]:
    """Return the files of paths, globs and URLs in this order; globs are sorted by name.

    A file that is named twice is read once, at its first position.

    Raises:
        UsageError: an input does not exist, or is neither CSV nor Parquet.
    """
    files = list({file.url: file for pattern in inputs for file in _files(pattern)}.values())
    for file in files:
        if not file.is_parquet and not file.name.lower().endswith(".csv"):
            raise UsageError(f"{file.shown}: the name of a song file must end in .csv or .parquet")
    return files


def _files(pattern: str) -> Iterator[InputFile]:
    filesystem, path = filesystem_of(pattern)
    try:
        if filesystem.isfile(path) or not has_magic(path):
            matches = {path: filesystem.info(path)}
        else:
            matches = dict(sorted(filesystem.glob(path, detail=True).items()))
    except FileNotFoundError as error:
        raise UsageError(f"{pattern}: the file does not exist") from error
    except Exception as error:  # file systems raise their own errors
        raise UsageError(f"{pattern}: cannot be listed: {error}") from error
    files = {path: info for path, info in matches.items() if info["type"] == "file"}
    if matches and not files:
        raise UsageError(f"{pattern}: is a folder; name its files, such as {pattern.rstrip('/')}/*.csv")
    if not files:
        raise UsageError(f"{pattern}: no file matches")
    for path, info in files.items():
        if info["size"] is None:
            raise UsageError(f"{pattern}: the server does not report the size")
        yield InputFile(str(filesystem.unstrip_protocol(path)), int(info["size"]))


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
