"""The async engine and the session factory."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool, PoolProxiedConnection, QueuePool
from sqlalchemy.util import await_only

from app.database.connect import Database
from app.database.errors import redact_error_texts

DEFAULT_READ_TIMEOUT_SECONDS = 30.0

DEFAULT_POOL_SIZE: Final = 20
"""Maximum number of connections per process, excluding its worker's."""

POOL_TIMEOUT_SECONDS: Final = 30.0
"""Maximum wait for a free connection."""

SessionFactory = async_sessionmaker[AsyncSession]

OnWait = Callable[[float], None]
"""Records the seconds spent waiting for a connection."""


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
    size: int | None = DEFAULT_POOL_SIZE // 2,
    timeout_seconds: float | None = POOL_TIMEOUT_SECONDS,
    on_wait: OnWait | None = None,
) -> AsyncEngine:
    """Create the engine; it connects on first use.

    Args:
        database: the database to connect to.
        size: maximum number of connections, which stay open; None closes each after use.
        timeout_seconds: maximum wait for a free connection; None waits indefinitely.
        on_wait: records each wait.
    """
    redact_error_texts()
    pooling: dict[str, Any] = {"poolclass": NullPool}
    if size is not None:
        # No request should fail because the server has restarted.
        pooling = {
            "poolclass": _TimedPool,
            "pool_size": size,
            "max_overflow": 0,
            "pool_timeout": timeout_seconds,
            "pool_pre_ping": True,
        }
    # Errors are logged, and parameters contain uploaded rows.
    engine = create_async_engine("postgresql+asyncpg://", hide_parameters=True, **pooling)
    if isinstance(engine.pool, _TimedPool):
        engine.pool.on_wait = on_wait

    @event.listens_for(engine.sync_engine, "do_connect")
    def connect(dialect: Any, *_: object) -> Any:
        options: dict[str, Any] = {"async_creator_fn": database.connect}
        if not await_only(database.prepares()):
            options |= {"prepared_statement_cache_size": 0, "prepared_statement_name_func": str}
        return dialect.dbapi.connect(**options)

    return engine


def connections_in_use(engine: AsyncEngine) -> int:
    """Return how many of the engine's connections are in use."""
    pool = engine.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedout()


def create_session_factory(engine: AsyncEngine) -> SessionFactory:
    """Create the session factory; each resolver, loader and service call opens its own session."""
    return async_sessionmaker(engine, expire_on_commit=False)


@asynccontextmanager
async def reading(sessions: SessionFactory, timeout_seconds: float) -> AsyncIterator[AsyncSession]:
    """Yield a session for reading. Cancellation and timeout also cancel the statement in the database.

    Raises:
        TimeoutError: reading took longer than `timeout_seconds`, including the wait for a connection.
    """
    async with asyncio.timeout(timeout_seconds), sessions() as session:
        yield session
