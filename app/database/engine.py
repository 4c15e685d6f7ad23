"""The async engine on asyncpg and the session factory."""

from __future__ import annotations

from typing import Final

from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import QueuePool

from app.database.error_texts import leave_values_out

SERVER_SETTINGS = {
    # A client whose machine or network is gone must not hold its locks for the two hours of the default.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25000",  # milliseconds
}
"""Of every connection."""

_NOTICE_GONE_CLIENTS: Final = """
SELECT set_config(name, '1s', false) FROM pg_settings WHERE name = 'client_connection_check_interval'
"""
"""Lets the server look each second whether who sent a running statement is still there. A statement that was
given up is cancelled, but not always: its connection is closed at the same time. PostgreSQL 14 or newer."""

CONNECTIONS_HELD: Final = 10
"""Database connections of a process that stay open."""

MOST_CONNECTIONS: Final = 2 * CONNECTIONS_HELD
"""And the most there may be under load; a request that needs one more waits."""

SessionFactory = async_sessionmaker[AsyncSession]


def asyncpg_url(database_url: str) -> str:
    """Return the SQLAlchemy URL, on asyncpg, of a `postgresql://` URL."""
    return make_url(database_url).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


def create_engine(database_url: str, *, pool_size: int = CONNECTIONS_HELD) -> AsyncEngine:
    """Create the engine; it connects at the first use.

    Args:
        database_url: `postgresql://user:password@host:port/database`.
        pool_size: connections held open; as many again may open under load.
    """
    leave_values_out()
    engine = create_async_engine(
        asyncpg_url(database_url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=30,
        # A restarted server must cost nobody a failed request.
        pool_pre_ping=True,
        connect_args={"server_settings": {**SERVER_SETTINGS, "application_name": "genregraph"}},
        # Errors are logged, and parameters are rows of uploads.
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "connect", _on_connect)
    return engine


def connections_in_use(engine: AsyncEngine) -> int:
    """Return how many of the engine's connections somebody has."""
    pool = engine.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedout()


def _on_connect(connection: DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(_NOTICE_GONE_CLIENTS)
    cursor.close()
    connection.commit()


def create_session_factory(engine: AsyncEngine) -> SessionFactory:
    """Return the factory of sessions; each resolver, loader and service call opens its own."""
    return async_sessionmaker(engine, expire_on_commit=False)
