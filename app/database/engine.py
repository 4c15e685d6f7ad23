"""Connection pools: engines and sessions, a pool of single reads, and the pools of a serving process."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from functools import partial
from typing import Any, Final

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, PoolProxiedConnection
from sqlalchemy.util import await_only

from app.database.connect import Database, close
from app.database.errors import is_outage, redact_error_texts

POOL_TIMEOUT_SECONDS: Final = 30.0
"""Maximum wait for a free connection."""

WORKER_CONNECTIONS: Final = 2
"""For each batch of a worker: one stores songs while the other reads the file."""

SessionFactory = async_sessionmaker[AsyncSession]

OnWait = Callable[[float], None]
"""Records the seconds spent waiting for a connection."""

Fetch = Callable[..., Awaitable[list[asyncpg.Record]]]
"""Runs a statement with its arguments and returns its rows."""


class _TimedPool(AsyncAdaptedQueuePool):
    """A pool that records the wait for each connection, including its ping or connect."""

    on_wait: OnWait | None = None

    def connect(self) -> PoolProxiedConnection:
        begin = time.perf_counter()
        try:
            return super().connect()
        finally:
            if self.on_wait is not None:
                self.on_wait(time.perf_counter() - begin)


# SQLAlchemy's pool loggers are named after the class; keep them below warnings.
logging.getLogger(f"{_TimedPool.__module__}.{_TimedPool.__name__}").setLevel(logging.WARNING)


def create_engine(
    database: Database,
    *,
    size: int = 10,
    timeout_seconds: float | None = POOL_TIMEOUT_SECONDS,
    on_wait: OnWait | None = None,
) -> AsyncEngine:
    """Create an engine with at most `size` connections, which are opened on demand and stay open.

    `timeout_seconds` limits the wait for a free connection; None waits indefinitely.
    """
    redact_error_texts()
    engine = create_async_engine(
        "postgresql+asyncpg://",
        hide_parameters=True,  # errors are logged, and parameters contain uploaded rows
        poolclass=_TimedPool,
        pool_size=size,
        max_overflow=0,
        pool_timeout=timeout_seconds,
        pool_pre_ping=True,  # no request should fail because the server has restarted
    )
    assert isinstance(engine.pool, _TimedPool)
    engine.pool.on_wait = on_wait

    @event.listens_for(engine.sync_engine, "do_connect")
    def connect(dialect: Any, *_: object) -> Any:
        options: dict[str, Any] = {"async_creator_fn": database.connect}
        if not await_only(database.prepares()):
            options |= {"prepared_statement_cache_size": 0, "prepared_statement_name_func": str}
        return dialect.dbapi.connect(**options)

    return engine


def create_session_factory(engine: AsyncEngine) -> SessionFactory:
    """Create the session factory; each resolver, loader and service call opens its own session."""
    return async_sessionmaker(engine, expire_on_commit=False)


class Repository:
    """Base class of the SQL that reads and writes in a session's transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def _driver(self) -> asyncpg.Connection:
        """Return the asyncpg connection of the transaction."""
        return (await (await self._session.connection()).get_raw_connection()).driver_connection


@asynccontextmanager
async def connected(database: Database) -> AsyncIterator[SessionFactory]:
    """Yield a session factory for a command; its connections are closed at the end."""
    engine = create_engine(database)
    try:
        yield create_session_factory(engine)
    finally:
        await engine.dispose()


@asynccontextmanager
async def reading(sessions: SessionFactory, timeout_seconds: float) -> AsyncIterator[AsyncSession]:
    """Yield a session for reading. Cancellation and timeout also cancel the statement in the database.

    Raises:
        TimeoutError: reading took longer than `timeout_seconds`, including the wait for a connection.
    """
    async with asyncio.timeout(timeout_seconds), sessions() as session:
        yield session


class ReadPool:
    """Runs single read statements, prepared once per connection, without transactions or pings.

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
        """Create the pool; it connects on demand, up to `size` times.

        `timeout_seconds` is the time limit of a statement, including the wait for a connection.
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


def split_connections(connections: int) -> tuple[int, int, int]:
    """Split a number of connections, at least 3, into those for reads, writes and others."""
    reads = writes = max(1, connections * 2 // 5)
    return reads, writes, connections - reads - writes


class Pools:
    """The pools of a serving process, one for each kind of work, so that none can starve another.

    Attributes:
        reads: for catalogue queries.
        sessions: for logins, health checks and other short transactions.
        writes: for uploads, which wait indefinitely; each holds a connection until its batch is stored.
        work: for the worker, in addition to the others.
        engines: the engines of `sessions`, `writes` and `work`.
    """

    def __init__(
        self,
        database: Database,
        connections: int,
        *,
        worker_batches: int,
        read_timeout_seconds: float,
        on_wait: Callable[[str, float], None],
    ) -> None:
        """Create the pools; they connect on demand.

        Args:
            database: the database to connect to.
            connections: maximum number, excluding the worker's.
            worker_batches: the number of batches that the worker processes at once.
            read_timeout_seconds: time limit of a catalogue query.
            on_wait: records the pool and the seconds of each wait for a connection.
        """

        def engine(name: str, size: int, timeout_seconds: float | None = POOL_TIMEOUT_SECONDS) -> AsyncEngine:
            waited = partial(on_wait, name)
            return create_engine(database, size=size, timeout_seconds=timeout_seconds, on_wait=waited)

        reads, writes, others = split_connections(connections)
        self.engines = (
            engine("others", others),
            engine("writes", writes, None),
            engine("work", max(1, WORKER_CONNECTIONS * worker_batches)),
        )
        self.sessions, self.writes, self.work = map(create_session_factory, self.engines)
        waited = partial(on_wait, "reads")
        self.reads = ReadPool(
            database.connect, size=reads, timeout_seconds=read_timeout_seconds, on_wait=waited
        )

    @property
    def in_use(self) -> int:
        """The number of connections in use, excluding the worker's."""
        pools = (engine.pool for engine in self.engines[:2])
        return self.reads.in_use + sum(pool.checkedout() for pool in pools if isinstance(pool, _TimedPool))

    async def close(self) -> None:
        """Close all connections."""
        await self.reads.close()
        for engine in self.engines:
            await engine.dispose()
