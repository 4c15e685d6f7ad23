"""A pool for single read statements, prepared once per connection, without transactions or pings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import asyncpg

from app.database.engine import DEFAULT_POOL_SIZE, DEFAULT_READ_TIMEOUT_SECONDS, OnWait
from app.database.errors import is_outage

CLOSE_SECONDS: Final = 5.0
"""Time limit for cancelling the statement of a discarded connection and closing it."""

Connect = Callable[[], Awaitable[asyncpg.Connection]]
"""Opens a connection."""

StatementSpan = Callable[[str], AbstractContextManager[object]]
"""Traces a statement while it runs."""

Fetch = Callable[..., Awaitable[list[asyncpg.Record]]]
"""Runs a statement with its arguments and returns its rows."""


class ReadPool:
    """Runs read-only statements, each on its own connection.

    If a connection is broken, as after a server restart, the statement is retried once on a new one.
    """

    def __init__(
        self,
        connect: Connect,
        *,
        size: int = DEFAULT_POOL_SIZE // 2,
        timeout_seconds: float = DEFAULT_READ_TIMEOUT_SECONDS,
        span: StatementSpan = nullcontext,
        on_wait: OnWait | None = None,
    ) -> None:
        """Create the pool; it connects on demand.

        Args:
            connect: opens a connection.
            size: maximum number of connections.
            timeout_seconds: time limit of a statement, including the wait for a connection.
            span: traces each statement.
            on_wait: records how long each waited for a connection.
        """
        self._connect = connect
        self._slots = asyncio.Semaphore(size)
        self._timeout_seconds = timeout_seconds
        self.span = span
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
        connection = self._open_idle()
        if connection is not None:
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

    def _open_idle(self) -> asyncpg.Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None

    def _discard_idle(self) -> None:
        while self._idle:
            self._discard(self._idle.pop())

    def _discard(self, connection: asyncpg.Connection) -> None:
        closing = asyncio.create_task(_close(connection))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


async def _close(connection: asyncpg.Connection) -> None:
    try:
        await connection.close(timeout=CLOSE_SECONDS)
    except Exception:  # noqa: BLE001 - it is discarded anyway
        connection.terminate()
