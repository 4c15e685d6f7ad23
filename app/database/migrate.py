"""Apply the Alembic migrations, safely even if several replicas start at once.

Alembic is imported only if there is something to migrate, which saves half a second at startup.
"""

from __future__ import annotations

import asyncio
import re
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from app import resource
from app.database.connect import Database, close
from app.database.engine import connected

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATION_LOCK = 0x67_65_6E_72_65  # "genre"
"""Key of the advisory lock held while migrating."""

LOCK_TIMEOUT_SECONDS = 10
"""Maximum wait for a table lock: every reader queues up after the waiting statement."""

STATEMENT_TIMEOUT_SECONDS = 600
ADVISORY_LOCK_TIMEOUT_SECONDS = 300
MIN_MAJOR_VERSION = 15

_FACTS = """
SELECT quote_ident(datname), pg_encoding_to_char(encoding),
    'pg_trgm' IN (SELECT extname FROM pg_extension UNION SELECT name FROM pg_available_extensions)
FROM pg_database WHERE datname = current_database()
"""

_UTF8_LOCALES = {17: "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'", 0: "LOCALE 'C.UTF-8'"}
"""By the first major version that supports each."""

_NAMES = re.compile(r"""^(revision|down_revision) = (?:["'](.+)["']|None)$""", re.MULTILINE)


class UnsuitableDatabaseError(Exception):
    """The database does not meet the requirements; the message is one line that says what to do."""


def alembic_config() -> Config:
    """Return Alembic's configuration for this installation's revisions."""
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", str(resource("migrations")).replace("%", "%%"))
    return config


@cache
def known_revisions() -> tuple[str, ...]:
    """Return the revisions that this code knows, newest first."""
    following = {}
    for path in (resource("migrations") / "versions").glob("*.py"):
        names = dict(_NAMES.findall(path.read_text(encoding="utf-8")))
        following[names["down_revision"]] = names["revision"]
    known: list[str] = []
    while (revision := following.get(known[0] if known else "")) is not None:
        known.insert(0, revision)
    if not known:
        raise RuntimeError("this installation contains no migrations")
    return tuple(known)


def migrate(database_url: str, revision: str = "head") -> str | None:
    """Migrate the database to `revision` (`head`, `base` or an id) and return the current revision.

    All missing revisions are applied in one transaction. An advisory lock serializes replicas that start
    together.

    Raises:
        UnsuitableDatabaseError: the database does not meet the requirements.
        app.database.errors.DATABASE_ERRORS: the database cannot be reached, or a statement failed.
    """

    async def check_and_move() -> str | None:
        database = Database(database_url)
        await _check(database)
        async with connected(database) as sessions, sessions.begin() as session:
            return await (await session.connection()).run_sync(_move, revision)

    return asyncio.run(check_and_move())


async def _check(database: Database) -> None:
    """Check the database's version, encoding and pg_trgm extension."""
    connection = await database.connect()
    try:
        version = connection.get_server_version().major
        name, encoding, has_trigrams = await connection.fetchrow(_FACTS)
    finally:
        await close(connection)
    if version < MIN_MAJOR_VERSION:
        problem = f"the server is PostgreSQL {version}. Use PostgreSQL {MIN_MAJOR_VERSION} or newer."
    elif encoding != "UTF8":
        locale = next(options for since, options in _UTF8_LOCALES.items() if version >= since)
        problem = (
            f"its encoding is {encoding}, which cannot store every title. Create one with: "
            f"CREATE DATABASE {name} ENCODING 'UTF8' {locale} TEMPLATE template0"
        )
    elif not has_trigrams:
        problem = "the server lacks the extension pg_trgm. Install PostgreSQL's contrib package."
    else:
        return
    raise UnsuitableDatabaseError(problem)


def current_revision(connection: Connection) -> str | None:
    """Return the database's revision; None if it has none."""
    if connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def is_behind(revision: str | None) -> bool:
    """Return whether a revision is older than this code; an unknown one belongs to a newer release."""
    return revision is None or revision in known_revisions()[1:]


def _move(connection: Connection, revision: str) -> str | None:
    connection.execute(text(f"SET LOCAL lock_timeout = '{ADVISORY_LOCK_TIMEOUT_SECONDS}s'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"))
    connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT_SECONDS}s'"))
    before = current_revision(connection)
    if revision == "head" and not is_behind(before):
        # Nothing to do, or a newer, compatible release has already migrated.
        return before
    if connection.scalar(text("SELECT current_setting('transaction_read_only')")) == "on":
        state = "has no tables" if before is None else f"is at revision {before}"
        raise UnsuitableDatabaseError(f"it is read-only and {state}. Migrate it while it is writable.")
    from alembic import command  # noqa: PLC0415 - see above

    config = alembic_config()
    config.attributes["connection"] = connection
    if revision == "head":
        command.upgrade(config, revision)
    else:
        command.downgrade(config, revision)
    return current_revision(connection)
