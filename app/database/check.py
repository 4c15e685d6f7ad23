"""Check that a database meets the service's requirements."""

from __future__ import annotations

import asyncpg

from app.database.connect import Database, close

MIN_MAJOR_VERSION = 15

_TRIGRAMS = """
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm'),
    EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm')
"""

_UTF8_LOCALES = {17: "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'", 0: "LOCALE 'C.UTF-8'"}
"""By the first major version that supports each."""


class UnsuitableDatabaseError(Exception):
    """The database does not meet the requirements; the message is one line that says what to do."""


async def check_database(database: Database) -> None:
    """Check a database's version, encoding and pg_trgm extension.

    Raises:
        UnsuitableDatabaseError: a requirement is not met.
        DatabaseUrlError, ConnectionError, TimeoutError, asyncpg.PostgresError: see `Database.connect`.
    """
    connection = await database.connect()
    try:
        version = connection.get_server_version().major
        if version < MIN_MAJOR_VERSION:
            raise UnsuitableDatabaseError(
                f"the server is PostgreSQL {version}. Use PostgreSQL {MIN_MAJOR_VERSION} or newer."
            )
        await _check_encoding(connection, version)
        installed, available = await connection.fetchrow(_TRIGRAMS)
        if not (installed or available):
            raise UnsuitableDatabaseError(
                "the server lacks the extension pg_trgm. Install PostgreSQL's contrib package."
            )
    finally:
        await close(connection)


async def _check_encoding(connection: asyncpg.Connection, version: int) -> None:
    name, encoding = await connection.fetchrow(
        "SELECT quote_ident(datname), pg_encoding_to_char(encoding) FROM pg_database "
        "WHERE datname = current_database()"
    )
    if encoding == "UTF8":
        return
    locale = next(options for since, options in _UTF8_LOCALES.items() if version >= since)
    raise UnsuitableDatabaseError(
        f"its encoding is {encoding}, which cannot store every title. Create one with: "
        f"CREATE DATABASE {name} ENCODING 'UTF8' {locale} TEMPLATE template0"
    )
