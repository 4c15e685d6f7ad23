"""Classify database errors, and keep values out of their messages."""

from __future__ import annotations

import errno
import re
from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.database.url import DatabaseUrlError

DATABASE_ERRORS: Final = (
    DatabaseUrlError,
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)
"""The errors that connecting and querying can raise."""

_VALUE: Final = re.compile(r"(invalid input for query argument \$\d+).*", re.DOTALL)
"""asyncpg's message for a parameter that it cannot encode, followed by the value."""

_OUTAGES: Final = (
    ConnectionError,
    TimeoutError,
    PoolTimeoutError,
    DatabaseUrlError,  # a missing certificate
    asyncpg.InternalClientError,  # the server closed the connection while a statement was sent
)

_OUTAGE_STATES: Final = (
    "08",  # connections
    "25006",  # read-only: a standby, or a managed database with a full disk
    "25P03",  # idle-in-transaction timeout
    "25P04",  # transaction timeout
    "28",  # the password or role was changed
    "3D000",  # the database was dropped
    "42501",  # the role lost its permission
    "40",  # deadlocks and serialization failures
    "53",  # out of connections, memory or disk
    "55",  # in use, lock timeout, or not accepting connections
    "57P",  # shutting down, starting up, in recovery
    "58",  # the server's own disk or network
)
"""SQLSTATE prefixes of problems that go away with time or an operator's help."""

_CLOSED: Final = ("connection is closed", "connection was closed", "connection has been released")


def redact_error_texts() -> None:
    """Remove PostgreSQL's DETAIL (`Failing row contains (…)`) from the text of asyncpg's errors.

    Errors are logged, and the detail contains uploaded rows. It remains available as an attribute.
    """
    asyncpg.PostgresError.__str__ = _text
    asyncpg.InterfaceError.__str__ = _text


def is_outage(error: BaseException) -> bool:
    """Return whether an error means that the database is unavailable for reading or writing."""
    return _has_state(error, *_OUTAGE_STATES) or any(
        isinstance(cause, _OUTAGES)
        or (isinstance(cause, DBAPIError) and cause.connection_invalidated)
        or (isinstance(cause, asyncpg.InterfaceError) and any(words in str(cause) for words in _CLOSED))
        for cause in _causes(error)
    )


def is_conflict(error: BaseException) -> bool:
    """Return whether transactions conflicted, for example in a deadlock. A retry may help."""
    return _has_state(error, "40")


def is_read_only(error: BaseException) -> bool:
    """Return whether an error means that the database is read-only."""
    return _has_state(error, "25006")


def is_statement_timeout(error: BaseException) -> bool:
    """Return whether the server cancelled a statement because of its timeout."""
    return _has_state(error, "57014")


def is_disk_full(error: BaseException) -> bool:
    """Return whether an error means that a disk is full, the service's or the database's."""
    return _has_state(error, "53100") or any(
        isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT) for cause in _causes(error)
    )


def reason(error: BaseException) -> str:
    """Return one line that says why the database cannot be used and, if known, what to do."""
    causes = _causes(error)
    cause = next((cause for cause in causes if isinstance(cause, asyncpg.PostgresError)), causes[0])
    cause = getattr(cause, "orig", None) or cause
    text = next(iter(str(cause).strip().splitlines()), "") or type(cause).__name__
    if match := re.search(r"unsupported startup parameter:? (\S+)", text):
        return (
            f"the pooler refuses the parameter {match[1]}. Remove it from the URL, or add it to the pooler's "
            "ignore_startup_parameters."
        )
    return text


def _text(error: Exception) -> str:
    return _VALUE.sub(r"\1", str(error.args[0])) if error.args else ""


def _has_state(error: BaseException, *prefixes: str) -> bool:
    """Return whether PostgreSQL reported a SQLSTATE that starts with one of the prefixes."""
    return any(
        isinstance(cause, asyncpg.PostgresError) and (cause.sqlstate or "").startswith(prefixes)
        for cause in _causes(error)
    )


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error and the chain of its causes, since drivers wrap each other's errors."""
    causes: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        cause = todo.pop()
        if cause is None or cause in causes:
            continue
        causes.append(cause)
        todo += [cause.__cause__, cause.__context__, getattr(cause, "orig", None)]
    return causes
