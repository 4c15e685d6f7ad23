"""Telling a database that is away, or out of space, from a mistake of ours."""

from __future__ import annotations

import errno

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.DiskFullError,  # it may not even connect: that can mean to write a file
    ConnectionError,
    TimeoutError,
    PoolTimeoutError,
)

_CLOSED = ("connection is closed", "connection was closed", "connection has been released")


def is_outage(error: BaseException) -> bool:
    """Tell whether an error means that the database cannot be reached right now."""
    return any(
        isinstance(cause, _AWAY)
        or (isinstance(cause, DBAPIError) and cause.connection_invalidated)
        or (isinstance(cause, asyncpg.InterfaceError) and any(words in str(cause) for words in _CLOSED))
        for cause in _causes(error)
    )


def is_disk_full(error: BaseException) -> bool:
    """Tell whether an error means that a disk, ours or the database's, is full."""
    return any(
        isinstance(cause, asyncpg.DiskFullError)
        or (isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT))
        for cause in _causes(error)
    )


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error and what it was raised from; drivers wrap each other's errors several deep."""
    causes: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        cause = todo.pop()
        if cause is None or cause in causes:
            continue
        causes.append(cause)
        todo += [cause.__cause__, cause.__context__, getattr(cause, "orig", None)]
    return causes
