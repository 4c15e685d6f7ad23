"""A PostgreSQL that can be killed and restarted, with gates that block transactions."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import asyncpg
import psutil

from app.database.migrate import migrate
from app.local_postgres import server as embedded_server
from app.local_postgres.server import EmbeddedPostgres
from tests.support.folders import open_fast_folder
from tests.support.ports import free_port
from tests.support.waiting import eventually

TEMPLATE = "migrated_template"

_GATE = """
CREATE TABLE gates (place text PRIMARY KEY);
CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WHILE EXISTS (SELECT FROM gates WHERE place = TG_ARGV[0]) LOOP
        PERFORM pg_sleep(0.02);
    END LOOP;
    RETURN NEW;
END
$$
"""


class Postgres:
    """A server that keeps its port, password and data when it is killed and restarted."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._port = free_port()  # it must not change
        self._server = EmbeddedPostgres(folder, settings=settings)

    @property
    def url(self) -> str:
        assert self._server.url is not None
        return self._server.url

    @property
    def pid(self) -> int:
        assert self._server.pid is not None
        return self._server.pid

    @property
    def data_path(self) -> Path:
        return self._server.data_path

    def start(self) -> None:
        """Start it unless it is running."""
        with patch.object(embedded_server, "_free_port", lambda: self._port):
            self._server.start()

    def kill(self) -> None:
        """Kill all its processes with SIGKILL, like a power failure or the out-of-memory killer."""
        postmaster = psutil.Process(self.pid)
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):  # a connection may end meanwhile
                process.kill()
        psutil.wait_procs(processes, timeout=60)

    def stop(self) -> None:
        self._server.stop()

    def execute(self, statement: str, *arguments: object) -> None:
        asyncio.run(_fetch(self.url, statement, *arguments))

    @contextmanager
    def setting(self, name: str, value: str) -> Iterator[None]:
        """Change a setting in this context."""
        self.execute(f"ALTER SYSTEM SET {name} = {value}")
        self.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            self.execute(f"ALTER SYSTEM RESET {name}")
            self.execute("SELECT pg_reload_conf()")

    def make_template(self) -> None:
        """Create the migrated database that is copied for each test."""
        self.execute(f"CREATE DATABASE {TEMPLATE}")
        migrate(self.url_of(TEMPLATE))

    def url_of(self, database: str) -> str:
        return urlsplit(self.url)._replace(path=f"/{database}").geturl()

    @property
    def owner(self) -> tuple[int, int]:
        """The user and group of its processes."""
        status = self.data_path.stat()
        return status.st_uid, status.st_gid

    @contextmanager
    def database(self, tablespace: str = "pg_default") -> Iterator[Database]:
        """Create a migrated database."""
        name = f"test_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} TABLESPACE {tablespace}")
        try:
            yield Database(self, self.url_of(name))
        finally:
            self.start()
            eventually(lambda: self.execute(f"DROP DATABASE {name} WITH (FORCE)"), "the database is dropped")


@contextmanager
def running_postgres(**settings: str) -> Iterator[Postgres]:
    """Run a server with a migrated template database; without settings, it is durable as in production."""
    with open_fast_folder() as folder:
        server = Postgres(folder, **settings)
        server.start()
        server.make_template()
        yield server
        server.stop()


@dataclass
class Database:
    """A database, accessed without the service."""

    server: Postgres
    url: str

    @property
    def name(self) -> str:
        return urlsplit(self.url).path.removeprefix("/")

    def execute(self, statement: str, *arguments: object) -> None:
        self.rows(statement, *arguments)

    def rows(self, query: str, *arguments: object) -> list[Any]:
        return asyncio.run(_fetch(self.url, query, *arguments))

    def value(self, query: str, *arguments: object) -> Any:
        return self.rows(query, *arguments)[0][0]

    def cut_connections(self) -> None:
        """End all connections, without connecting to the database, which may refuse it."""
        self.server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", self.name
        )

    def close_gate(self, table: str, condition: str) -> Gate:
        """Block inserts into a table before the row that meets a condition, until the gate is opened.

        It is made of tables and a trigger, so that it stays closed while the server restarts.

        Args:
            table: its name.
            condition: on NEW.
        """
        place = f"gate_{uuid.uuid4().hex[:8]}"
        if self.value("SELECT to_regclass('gates') IS NULL"):
            for statement in _GATE.split(";\n", 1):
                self.execute(statement)
        self.execute("INSERT INTO gates VALUES ($1)", place)
        self.execute(
            f"CREATE TRIGGER {place} BEFORE INSERT ON {table} FOR EACH ROW WHEN ({condition}) "
            f"EXECUTE FUNCTION wait_at_gate('{place}')"
        )
        return Gate(self, place)


@dataclass
class Gate:
    database: Database
    place: str

    def wait_for_arrival(self) -> None:
        """Wait until a transaction is blocked by the gate."""
        sleepers = (
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event = 'PgSleep'"
        )
        eventually(lambda: self.database.value(sleepers) > 0, "a transaction waits at the gate")

    def open(self) -> None:
        self.database.execute("DELETE FROM gates WHERE place = $1", self.place)


async def _fetch(url: str, query: str, *arguments: object) -> list[Any]:
    connection = await asyncpg.connect(url, timeout=30)
    try:
        rows: list[Any] = await connection.fetch(query, *arguments)
        return rows
    finally:
        await connection.close()
