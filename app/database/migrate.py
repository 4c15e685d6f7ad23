"""Applying the Alembic migrations, safely when several replicas start at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.database.engine import asyncpg_url
from app.resources import resource

MIGRATION_LOCK = 0x67_65_6E_72_65  # "genre"
"""Key of the advisory lock that a migrating process holds."""

LOCK_TIMEOUT_SECONDS = 10
"""How long a statement may wait for a table: longer would queue every reader behind it."""

STATEMENT_TIMEOUT_SECONDS = 600

ADVISORY_LOCK_TIMEOUT_SECONDS = 300


def alembic_config() -> Config:
    """Return Alembic's configuration for the revisions that ship with this installation."""
    config = Config()
    config.set_main_option("script_location", str(resource("migrations")).replace("%", "%%"))
    return config


def head_revision() -> str:
    """Return the newest revision that this code knows."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if head is None:
        raise RuntimeError("this installation carries no migrations")
    return head


@cache
def known_revisions() -> tuple[str, ...]:
    """Return the revisions that this code knows, the newest first."""
    script = ScriptDirectory.from_config(alembic_config())
    return tuple(revision.revision for revision in script.walk_revisions())


def migrate(database_url: str, revision: str = "head") -> str | None:
    """Bring the database to `revision` (`head`, `base` or an id) and return the revision reached.

    Each revision that is missing is applied, all in one transaction. An advisory lock makes replicas
    that start together take turns, and the later ones find nothing left to do.

    Raises:
        sqlalchemy.exc.SQLAlchemyError, OSError: the database cannot be reached or refuses.
    """
    return asyncio.run(_with_connection(database_url, lambda connection: _move(connection, revision)))


def current_revision(connection: Connection) -> str | None:
    """Return the revision that the database is at, None if it has none."""
    return MigrationContext.configure(connection).get_current_revision()


def _move(connection: Connection, revision: str) -> str | None:
    connection.execute(text(f"SET LOCAL lock_timeout = '{ADVISORY_LOCK_TIMEOUT_SECONDS}s'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"))
    connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT_SECONDS}s'"))
    config = alembic_config()
    config.attributes["connection"] = connection
    before = current_revision(connection)
    if revision == "head" and before is not None and before not in known_revisions():
        # A newer release has migrated already and keeps working with this one's code.
        return before
    if revision == "head":
        command.upgrade(config, revision)
    else:
        command.downgrade(config, revision)
    return current_revision(connection)


async def _with_connection(database_url: str, work: Callable[[Connection], str | None]) -> str | None:
    engine = create_async_engine(asyncpg_url(database_url), poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


def run_on_configured_database(run: Callable[[Connection], None]) -> None:
    """Run Alembic's own commands (`alembic revision --autogenerate`) on `GENREGRAPH_DATABASE_URL`."""
    from app.settings import load_settings  # noqa: PLC0415  (only this developer's path needs settings)

    url = load_settings().database_url
    if url is None:
        raise SystemExit("set GENREGRAPH_DATABASE_URL to the database that alembic should look at")

    def work(connection: Connection) -> None:
        run(connection)

    asyncio.run(_with_connection(url.get_secret_value(), work))
