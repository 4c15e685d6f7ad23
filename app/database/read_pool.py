"""A pool for single read statements, prepared once per connection, without transactions or pings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext

import asyncpg

from app.database.connect import close
from app.database.errors import is_outage

OnWait = Callable[[float], None]
"""Records the seconds spent waiting for a connection."""

Fetch = Callable[..., Awaitable[list[asyncpg.Record]]]
"""Runs a statement with its arguments and returns its rows."""


class ReadPool:
    """Runs read-only statements, each on its own connection.

    If a connection is broken, as after a server restart, the statement is retried once on a new one.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        *,
        size: int,
        timeout_seconds: float,
        on_wait: OnWait | None = None,
    ) -> None:
        """Create the pool; it connects on demand.

        Args:
            connect: opens a connection.
            size: maximum number of connections.
            timeout_seconds: time limit of a statement, including the wait for a connection.
            on_wait: records each wait.
        """
        self._connect = connect
        self._slots = asyncio.Semaphore(size)
        self._timeout_seconds = timeout_seconds
        self.span: Callable[[str], AbstractContextManager[object]] = nullcontext
        self._on_wait = on_wait
        self._idle: list[asyncpg.Connection] = []
        self._closing: set[asyncio.Task[None]] = set()
        self.in_use = 0

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """Return the rows of a statement. Cancelling the task also cancels the statement in the database.

        Raises:
            TimeoutError: the statement took too long.
        """
        begin = time.perf_counter()
        async with asyncio.timeout(self._timeout_seconds), self._slots:
            if self._on_wait is not None:
                self._on_wait(time.perf_counter() - begin)
            self.in_use += 1
            try:
                with self.span(sql):
                    return await self._fetch(sql, arguments)
            finally:
                self.in_use -= 1

    async def close(self) -> None:
        """Close all connections."""
        self._discard_idle()
        await asyncio.gather(*self._closing)

    async def _fetch(self, sql: str, arguments: tuple[object, ...]) -> list[asyncpg.Record]:
        while self._idle and self._idle[-1].is_closed():
            self._idle.pop()
        if self._idle:
            connection = self._idle.pop()
            try:
                return await self._fetch_on(connection, sql, arguments)
            except Exception as error:
                if isinstance(error, TimeoutError) or not is_outage(error):
                    raise
            self._discard_idle()  # the others are probably broken too
        return await self._fetch_on(await self._connect(), sql, arguments)

    async def _fetch_on(
        self, connection: asyncpg.Connection, sql: str, arguments: tuple[object, ...]
    ) -> list[asyncpg.Record]:
        try:
            rows: list[asyncpg.Record] = await connection.fetch(sql, *arguments)
        except BaseException:
            self._discard(connection)
            raise
        self._idle.append(connection)
        return rows

    def _discard_idle(self) -> None:
        while self._idle:
            self._discard(self._idle.pop())

    def _discard(self, connection: asyncpg.Connection) -> None:
        closing = asyncio.create_task(close(connection))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
