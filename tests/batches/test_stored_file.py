"""Files stored as compressed parts while they are read."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Awaitable, Callable
from functools import partial
from threading import Event
from typing import BinaryIO

import numpy as np
import pytest

from app.batches.stored_file import PART_BYTES, CopyingReader, open_stored, store

FILE = np.random.default_rng(1).bytes(2 * PART_BYTES + 1000)


def store_file(
    write: Callable[[int, bytes], Awaitable[None]], file: BinaryIO | None = None
) -> tuple[bytes, int]:
    """Store the file while another reader reads it, and return its digest and size."""
    copying = CopyingReader(file or io.BytesIO(FILE))
    parts = copying.parts(iter(partial(copying.read, 100_000), b""))
    return asyncio.run(store(partial(asyncio.to_thread, next, parts, None), write))


@pytest.mark.parametrize("offset", [0, 1, PART_BYTES - 1, PART_BYTES, 2 * PART_BYTES + 999, len(FILE)])
def test_a_stored_file_can_be_read_from_any_offset(offset: int) -> None:
    # given
    parts: dict[int, bytes] = {}

    async def write(position: int, part: bytes) -> None:
        parts[position] = part

    digest, size = store_file(write)
    # when
    read = open_stored(parts.get, offset).read()
    # then
    assert list(parts) == [0, 1, 2]
    assert read == FILE[offset:]
    assert (size, digest) == (len(FILE), hashlib.sha256(FILE).digest())


def test_reading_continues_while_a_part_is_written() -> None:
    # given a part that is not written until the next one has been read
    second_part_read = Event()
    read_meanwhile: list[bool] = []

    class Source(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            if self.tell() >= 2 * PART_BYTES:
                second_part_read.set()
            return data

    async def write(position: int, _: bytes) -> None:
        if position == 0:
            read_meanwhile.append(await asyncio.to_thread(second_part_read.wait, 10))

    # when
    store_file(write, Source(FILE))
    # then
    assert read_meanwhile == [True]


def test_a_failed_write_fails_the_reader_and_ends_writing() -> None:
    written: list[int] = []

    async def write(position: int, _: bytes) -> None:
        written.append(position)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        store_file(write)
    assert written == [0]
