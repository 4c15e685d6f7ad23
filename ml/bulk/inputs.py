"""The files to read: paths, globs and object-store URLs, as fsspec understands them."""

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
    """A file to read, by any process that reaches the same storage.

    Attributes:
        url: where it is, with its protocol.
        size: in bytes.
    """

    url: str
    size: int

    @property
    def name(self) -> str:
        """Its name without its folder."""
        return posixpath.basename(self.url)

    @property
    def shown(self) -> str:
        """How users know it: a local file by its path, any other by its URL."""
        return self.url.removeprefix("file://")

    @property
    def is_parquet(self) -> bool:
        """Whether it is a Parquet file; else it is a CSV."""
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
    """Return the files that paths, globs and URLs name, in their order; those of a glob by name.

    A file that is named twice is read once, at its first place.

    Raises:
        BulkUsageError: one of them names no file, or one that is neither CSV nor Parquet.
    """
    sizes: dict[str, int] = {}
    for given in inputs:
        for url, size in _files(given):
            sizes.setdefault(url, size)
    files = [InputFile(url, size) for url, size in sizes.items()]
    for file in files:
        if not file.is_parquet and not file.name.lower().endswith(".csv"):
            raise BulkUsageError(f"{file.shown}: a song file's name has to end in .csv or .parquet")
    return files


def _files(given: str) -> Iterator[tuple[str, int]]:
    filesystem, path = filesystem_of(given)
    try:
        if filesystem.isfile(path) or not has_magic(path):
            found = {path: filesystem.info(path)}
        else:
            found = dict(sorted(filesystem.glob(path, detail=True).items()))
    except FileNotFoundError as error:
        raise BulkUsageError(f"{given}: there is no such file") from error
    except Exception as error:  # each file system has errors of its own
        raise BulkUsageError(f"{given}: cannot be listed: {error}") from error
    files = {path: info for path, info in found.items() if info["type"] == "file"}
    if found and not files:
        raise BulkUsageError(f"{given}: is a folder; name its files, as in {given.rstrip('/')}/*.csv")
    if not files:
        raise BulkUsageError(f"{given}: no file fits")
    for path, info in files.items():
        if info["size"] is None:
            raise BulkUsageError(f"{given}: the server does not tell its size")
        yield str(filesystem.unstrip_protocol(path)), int(info["size"])
