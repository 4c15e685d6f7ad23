"""Limit the disk space of this process's uploads."""

from __future__ import annotations

from typing import Self


class SpoolFullError(Exception):
    """The uploads in progress have used up the disk space."""


class Spool:
    """Counts the bytes of all uploads in progress.

    Bytes are counted as they arrive, so that chunked and aborted uploads count correctly.
    """

    def __init__(self, max_bytes: int) -> None:
        """Create an empty spool.

        Args:
            max_bytes: the limit of all uploads together.
        """
        self._max_bytes = max_bytes
        self._used = 0

    def take(self, size: int) -> None:
        """Add bytes.

        Raises:
            SpoolFullError: this would exceed the limit.
        """
        if self._used + size > self._max_bytes:
            raise SpoolFullError
        self._used += size

    def release(self, size: int) -> None:
        """Remove bytes."""
        self._used -= size

    def share(self) -> SpoolShare:
        """Return an empty share for a request."""
        return SpoolShare(self)


class SpoolShare:
    """A request's share of the spool, released when its context ends."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.release(self._size)

    def take(self, size: int) -> None:
        """Add bytes.

        Raises:
            SpoolFullError: this would exceed the limit.
        """
        self._spool.take(size)
        self._size += size
