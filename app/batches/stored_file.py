"""Files stored in the database as compressed parts, readable from any offset."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, BinaryIO, TypeVar, cast

import zstandard

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PART_BYTES = 4 * 2**20
"""Uncompressed size of each part except the last; a trade-off between compression and memory."""

_LEVEL = 2
"""Of 1 to 22. It takes two thirds of the time of level 3, the default, and 4 % more of the file's size."""

Item = TypeVar("Item")


class CopyingReader:
    """A file reader that copies what passes through it."""

    def __init__(self, file: BinaryIO) -> None:
        """Create the reader; it reads `file` from its current position."""
        self._source = file
        self._copied = bytearray()

    @property
    def file(self) -> BinaryIO:
        """The file-like object to read from."""
        return cast("BinaryIO", self)

    def read(self, size: int) -> bytes:
        """Read some bytes."""
        data = self._source.read(size)
        self._copied += data
        return data

    def parts(self, reading: Iterable[object]) -> Iterator[bytes]:
        """Yield the copy in parts of `PART_BYTES`; each step of `reading` reads some of the file."""
        for _ in reading:
            while len(self._copied) >= PART_BYTES:
                yield self._take(PART_BYTES)
        while self._copied:
            yield self._take(PART_BYTES)

    def _take(self, size: int) -> bytes:
        part = bytes(self._copied[:size])
        del self._copied[:size]
        return part


async def store(
    read_part: Callable[[], Awaitable[bytes | None]], write: Callable[[int, bytes], Awaitable[None]]
) -> tuple[bytes, int]:
    """Store a file, and return its SHA-256 and size.

    While one thread reads a part, another compresses the previous one, and the event loop writes it.

    Args:
        read_part: starts to read the next part; None at the end.
        write: writes a compressed part; positions start at 0.
    """
    digest, size, position = hashlib.sha256(), 0, 0
    compressor = zstandard.ZstdCompressor(level=_LEVEL)

    def compress(part: bytes) -> bytes:
        digest.update(part)
        return compressor.compress(part)

    async with aclosing(read_ahead(read_part)) as parts:
        async for part in parts:
            # Not in a classifier thread: with only one, it would be the one that reads.
            await write(position, await asyncio.to_thread(compress, part))
            size += len(part)
            position += 1
    return digest.digest(), size


async def read_ahead(read: Callable[[], Awaitable[Item | None]]) -> AsyncGenerator[Item, None]:
    """Yield what `read` returns, until None; read the next item while the caller handles one.

    Nothing is being read after the generator ends or is closed.
    """
    next_item = asyncio.ensure_future(read())
    try:
        while (item := await asyncio.shield(next_item)) is not None:
            next_item = asyncio.ensure_future(read())
            yield item
    finally:
        await asyncio.gather(next_item, return_exceptions=True)


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
    """Open a stored file at a byte offset.

    `fetch` returns the compressed part at a position, starting at 0; None after the last part.
    """
    return cast("BinaryIO", io.BufferedReader(_StoredBytes(fetch, offset), buffer_size=2**16))
