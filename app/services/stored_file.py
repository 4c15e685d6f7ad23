"""Files stored in the database: cut into parts, compressed, and read again from any place."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PART_BYTES = 4 * 2**20
"""Bytes of the file in each part but the last: large enough to compress well, small enough for memory."""

_LEVEL = 3


def compressed_parts(file: BinaryIO) -> Iterator[bytes]:
    """Read a file and give out its parts, each compressed alone."""
    compressor = zstandard.ZstdCompressor(level=_LEVEL)
    while data := file.read(PART_BYTES):
        yield compressor.compress(data)


def file_hash(file: BinaryIO) -> bytes:
    """Return the SHA-256 of what is left of a file."""
    return hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]


class _StoredBytes(io.RawIOBase):
    def __init__(self, fetch: Callable[[int], bytes | None], offset: int) -> None:
        self._fetch = fetch
        self._position, skip = divmod(offset, PART_BYTES)
        self._decompressor = zstandard.ZstdDecompressor()
        self._data = self._next()[skip:]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        target = memoryview(buffer).cast("B")
        if not self._data:
            self._data = self._next()
        count = min(len(target), len(self._data))
        target[:count] = self._data[:count]
        self._data = self._data[count:]
        return count

    def _next(self) -> memoryview:
        part = self._fetch(self._position)
        self._position += 1
        if part is None:
            return memoryview(b"")
        return memoryview(self._decompressor.decompress(part, max_output_size=PART_BYTES))


def open_stored(fetch: Callable[[int], bytes | None], offset: int) -> BinaryIO:
    """Open a stored file.

    Args:
        fetch: returns the compressed part at a position, from 0; None behind the last.
        offset: the byte of the file to start from.
    """
    return cast("BinaryIO", io.BufferedReader(_StoredBytes(fetch, offset), buffer_size=2**16))
