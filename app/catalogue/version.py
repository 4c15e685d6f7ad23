"""The version of the catalogue: if it is the same twice, no song was written in between.

The version is a random UUID in a table of one row. The trigger that counts songs replaces it in every
transaction that writes songs:

- It becomes visible exactly when the songs do: one transaction writes both, and a snapshot sees both or
  neither. Data that is read after the version is at least as new as it. If the version is still the same
  later, reading again would return the same data. (A sequence would change before its transaction commits,
  and `pg_current_snapshot()` with every login and heartbeat.)
- No writer waits for it: the trigger already holds the lock of the counts, which serializes writers until
  they commit.
- It never repeats, as a counter could after a failover that lost the last transactions.

All reads must reach one server: a standby may lag behind the version that the primary reports.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable


class CatalogueVersion:
    """Reads the version, with one statement for all calls that wait for it to be sent."""

    def __init__(self, read: Callable[[], Awaitable[uuid.UUID | None]]) -> None:
        """Make the reader.

        Args:
            read: sends the statement.
        """
        self._read = read
        self._next: asyncio.Task[uuid.UUID | None] | None = None

    async def current(self) -> uuid.UUID | None:
        """Return the version at some moment after the call; None if there is none."""
        if self._next is None:
            self._next = asyncio.create_task(self._send())
        return await asyncio.shield(self._next)

    async def _send(self) -> uuid.UUID | None:
        # A call from here on may come after the database has answered: it needs another statement.
        self._next = None
        return await self._read()
