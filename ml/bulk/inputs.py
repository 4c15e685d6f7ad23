"""Find input files by path, glob or object-store URL, with fsspec."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import has_magic
from typing import Any, BinaryIO, cast

from fsspec.core import url_to_fs  # type: ignore[import-untyped]

from ml.bulk.errors import BulkError, BulkUsageError

_PARQUET = (".parquet", ".pq")


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
        return self.name.lower().endswith(_PARQUET)

    def open(self) -> BinaryIO:
        """Open it for reading, seekable.

        Raises:
            BulkError: it cannot be opened.
        """
        filesystem, path = url_to_fs(self.url)
        try:
            return cast("BinaryIO", filesystem.open(path, "rb"))
        except OSError as error:
            raise BulkError(f"{self.shown} cannot be opened: {error.strerror or error}") from error


def filesystem_of(url: str) -> tuple[Any, str]:
    """Return the fsspec file system of a path or URL, and the path in it.

    Raises:
        BulkUsageError: the protocol is unknown, or its package is not installed.
    """
    try:
        filesystem, path = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise BulkUsageError(f"{url}: {error}") from error
    return filesystem, str(path)


def find_inputs(inputs: Sequence[str]) -> list[InputFile]:
    """Return the files of paths, globs and URLs in this order; globs are sorted by name.

    A file that is given twice is read once, at its first position.

    Raises:
        BulkUsageError: an input does not exist, or is neither CSV nor Parquet.
    """
    sizes: dict[str, int] = {}
    for given in inputs:
        for url, size in _files(given):
            sizes.setdefault(url, size)
    files = [InputFile(url, size) for url, size in sizes.items()]
    for file in files:
        if not file.is_parquet and not file.name.lower().endswith(".csv"):
            raise BulkUsageError(f"{file.shown}: the name of a song file must end in .csv or .parquet")
    return files


def _files(given: str) -> Iterator[tuple[str, int]]:
    filesystem, path = filesystem_of(given)
    try:
        if filesystem.isfile(path) or not has_magic(path):
            found = {path: filesystem.info(path)}
        else:
            found = dict(sorted(filesystem.glob(path, detail=True).items()))
    except FileNotFoundError as error:
        raise BulkUsageError(f"{given}: the file does not exist") from error
    except Exception as error:  # file systems raise their own errors
        raise BulkUsageError(f"{given}: cannot be listed: {error}") from error
    files = {path: info for path, info in found.items() if info["type"] == "file"}
    if found and not files:
        raise BulkUsageError(f"{given}: is a folder; name its files, such as {given.rstrip('/')}/*.csv")
    if not files:
        raise BulkUsageError(f"{given}: no file matches")
    for path, info in files.items():
        if info["size"] is None:
            raise BulkUsageError(f"{given}: the server does not report the size")
        yield str(filesystem.unstrip_protocol(path)), int(info["size"])
