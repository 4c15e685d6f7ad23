"""Databases for tests, reused: each is emptied after its test. Queries, locks and their tables."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any, TypeVar
from urllib.parse import urlsplit

import asyncpg
from sqlalchemy import Connection, inspect

from app.database.connect import Database
from app.database.engine import connected
from app.database.migrate import migrate
from tests.support.waiting import DEADLINE_SECONDS

Result = TypeVar("Result")

TEMPLATE = "migrated_template"

LOCKED_SECONDS = 60
"""How long `locked` blocks statements at most."""

# A copied database has the template's object identifiers, so this detects any change of the schema.
SCHEMA = """
SELECT md5(string_agg(part, E'\n' ORDER BY part)) FROM (
    SELECT concat_ws(' ', 'class', oid, relname, relnamespace, relkind, relnatts, relchecks, relhasrules,
        relrowsecurity, relowner, relacl, reloptions) AS part FROM pg_class WHERE oid >= 16384
    UNION ALL SELECT concat_ws(' ', 'column', attrelid, attnum, attname, atttypid, atttypmod, attnotnull,
        attstattarget, attacl) FROM pg_attribute WHERE attrelid >= 16384
    UNION ALL SELECT concat_ws(' ', 'default', oid, adrelid, adnum) FROM pg_attrdef
    UNION ALL SELECT concat_ws(' ', 'constraint', oid, conname, convalidated) FROM pg_constraint
    UNION ALL SELECT concat_ws(' ', 'index', indexrelid, indisvalid) FROM pg_index
    UNION ALL SELECT concat_ws(' ', 'trigger', oid, tgname, tgenabled) FROM pg_trigger
    UNION ALL SELECT concat_ws(' ', 'function', oid, proname, md5(prosrc)) FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT concat_ws(' ', 'type', oid, typname) FROM pg_type WHERE oid >= 16384
    UNION ALL SELECT concat_ws(' ', 'label', oid, enumlabel) FROM pg_enum
    UNION ALL SELECT concat_ws(' ', 'schema', oid, nspname, nspacl) FROM pg_namespace
    UNION ALL SELECT concat_ws(' ', 'extension', oid, extname, extversion) FROM pg_extension
    UNION ALL SELECT concat_ws(' ', 'setting', setdatabase, setconfig) FROM pg_db_role_setting
        JOIN pg_database ON pg_database.oid = setdatabase WHERE datname = current_database()
) AS parts
"""

TABLES = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'"
END_OTHERS = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
RESTART_SEQUENCES = """
SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
FROM pg_sequences WHERE last_value IS NOT NULL
"""


class Databases:
    """Migrated databases of one server.

    Each keeps a connection open, because opening one takes longer than emptying the tables.
    """

    def __init__(self, server_url: str) -> None:
        """Create and migrate the template."""
        self._server_url = server_url
        self._runner = asyncio.Runner()
        self._free: list[tuple[str, asyncpg.Connection]] = []
        execute(server_url, f"CREATE DATABASE {TEMPLATE}")
        template = database_url(server_url, TEMPLATE)
        migrate(template)
        self._schema, self._filled, self._rows = on(template, _describe)

    @contextmanager
    def migrated(self) -> Iterator[str]:
        """Lend an empty, migrated database; yields its URL. It is dropped if a test changes its schema."""
        name, connection = self._free.pop() if self._free else self._runner.run(self._create())
        try:
            yield database_url(self._server_url, name)
        finally:
            if self._runner.run(self._empty(connection)):
                self._free.append((name, connection))
            else:
                drop(self._server_url, name)

    def close(self) -> None:
        """Close the connections."""
        for _, connection in self._free:
            self._runner.run(connection.close())
        self._runner.close()

    async def _create(self) -> tuple[str, asyncpg.Connection]:
        name = await asyncio.to_thread(create, self._server_url, f"TEMPLATE {TEMPLATE}")
        return name, await asyncpg.connect(database_url(self._server_url, name))

    async def _empty(self, connection: asyncpg.Connection) -> bool:
        """Restore the template's content; close the connection and return False if that is impossible."""
        try:
            await connection.execute(END_OTHERS)
            if await connection.fetchval(SCHEMA) == self._schema:
                await self._restore(connection)
                return True
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):  # a test ended the connection
            connection.terminate()
            return False
        await connection.close()
        return False

    async def _restore(self, connection: asyncpg.Connection) -> None:
        """Restore the rows of the template."""
        changed = {table for table, rows in self._rows.items() if await _rows(connection, table) != rows}
        filled = {name for (name,) in await connection.fetch(self._filled)} - self._rows.keys()
        async with connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            if changed | filled:
                await connection.execute(f"TRUNCATE {', '.join(changed | filled)} CASCADE")
            for table in changed:
                await connection.execute(
                    f"INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, $1)",  # noqa: S608
                    self._rows[table],
                )
            await connection.execute(RESTART_SEQUENCES)


@contextmanager
def empty_database(server_url: str) -> Iterator[str]:
    """Create a database without tables; yields its URL."""
    name = create(server_url)
    try:
        yield database_url(server_url, name)
    finally:
        drop(server_url, name)


def create(server_url: str, options: str = "") -> str:
    """Create a database and return its name."""
    name = f"test_{uuid.uuid4().hex}"
    execute(server_url, f"CREATE DATABASE {name} {options}")
    return name


def drop(server_url: str, name: str) -> None:
    """Drop a database, and end its connections."""
    execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def database_url(server_url: str, name: str) -> str:
    """Return the URL of a database of this server."""
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


def execute(url: str, statement: str) -> None:
    """Run a statement on a database."""

    async def run(connection: asyncpg.Connection) -> None:
        await connection.execute(statement)

    on(url, run)


def on(url: str, work: Callable[[asyncpg.Connection], Awaitable[Result]]) -> Result:
    """Call a function with a connection to a database, and return its result."""

    async def run() -> Result:
        connection = await asyncpg.connect(url)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


async def _describe(connection: asyncpg.Connection) -> tuple[str, str, dict[str, str]]:
    """Return a hash of the schema, a query for the tables with rows, and these rows as JSON by table."""
    tables = [row[0] for row in await connection.fetch(TABLES)]
    filled = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in tables)  # noqa: S608
    rows = {name: str(await _rows(connection, name)) for (name,) in await connection.fetch(filled)}
    return str(await connection.fetchval(SCHEMA)), filled, rows


async def _rows(connection: asyncpg.Connection, table: str) -> str | None:
    rows: str | None = await connection.fetchval(f"SELECT json_agg({table}) FROM {table}")  # noqa: S608
    return rows


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""

    async def fetch(connection: asyncpg.Connection) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await connection.fetch(query)]

    return on(url, fetch)


@contextmanager
def locked(database_url: str, *tables: str) -> Iterator[None]:
    """Block all statements on these tables."""
    ready, done = Event(), Event()

    async def hold() -> None:
        connection = await asyncpg.connect(database_url)
        async with connection.transaction():
            for table in tables:
                await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            ready.set()
            await asyncio.to_thread(done.wait, LOCKED_SECONDS)
        await connection.close()

    thread = Thread(target=asyncio.run, args=(hold(),))
    thread.start()
    assert ready.wait(DEADLINE_SECONDS)
    try:
        yield
    finally:
        done.set()
        thread.join()


def look(database_url: str, inspection: Callable[[Connection], Result]) -> Result:
    async def run() -> Result:
        async with connected(Database(database_url)) as sessions, sessions.begin() as session:
            return await (await session.connection()).run_sync(inspection)

    return asyncio.run(run())


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}
