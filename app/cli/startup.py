"""What every command that serves does first: a database, its migrations, the clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from pydantic import SecretStr
from starlette.applications import Starlette

from app.cli.failure import fail
from app.cli.local_database import DatabaseUrl, database_starting
from app.cli.options import LOCAL_CLIENT
from app.clients.credentials import ClientsError
from app.database.check import UnsuitableDatabaseError
from app.database.connect import Database
from app.database.errors import DATABASE_ERRORS, reason
from app.database.migrate import migrate
from app.database.url import DatabaseUrlError
from app.main import create_app
from app.observability.tracing import Tracing
from app.settings import Environment, Settings
from ml.model.artifact import ArtifactError

LOCAL_CLIENTS = f"{LOCAL_CLIENT}:{LOCAL_CLIENT}:admin"
"""The client that everybody knows; only a database of our own, on this machine, gets it."""

log = structlog.get_logger(__name__)


def known_client(settings: Settings) -> str | None:
    """Return the client that everybody knows, if these settings let it in without saying so."""
    implied = settings.database_url is None and settings.clients is None
    return LOCAL_CLIENT if implied and settings.environment is not Environment.PRODUCTION else None


@contextmanager
def database_of(settings: Settings, *, start_empty: bool = False) -> Iterator[Settings]:
    """Provide the settings with a running, migrated database and its clients; see `with_database`."""
    with database_starting(settings) as url:
        yield with_database(settings, url, start_empty=start_empty)


def with_database(settings: Settings, url: DatabaseUrl, *, start_empty: bool = False) -> Settings:
    """Return the settings with a migrated database and its clients.

    Args:
        settings: with or without a database.
        url: waits for the database.
        start_empty: drop all that is stored first, if the database is the embedded one.
    """
    stored_only = settings.clients is None and settings.clients_file is None
    known = None if known_client(settings) is None else SecretStr(LOCAL_CLIENTS)
    address = url()
    if settings.database_url is not None:
        migrate_or_fail(address)
    else:
        migrate_or_fail(address, start_empty=start_empty)
        update = {"database_url": SecretStr(address), "clients": settings.clients or known}
        settings = settings.model_copy(update=update)
    if stored_only and known is None:
        log.info("only the clients of the database may call; `genregraph clients add NAME` adds one")
    return settings


@contextmanager
def database_url_of(settings: Settings) -> Iterator[str]:
    """Give the URL of the database: the one set, the embedded one that runs, or one started for this."""
    with database_starting(settings, join=True) as waiting:
        migrate_or_fail(url := waiting())
        yield url


def migrate_or_fail(database_url: str, *, start_empty: bool = False) -> str | None:
    """Migrate the database to the newest revision and return it, or end the command saying why not.

    Args:
        database_url: the database.
        start_empty: drop all that is stored first.
    """
    try:
        shown = Database(database_url).shown
    except DatabaseUrlError as error:
        fail(str(error))
    try:
        if start_empty:
            migrate(database_url, "base")
        return migrate(database_url)
    except UnsuitableDatabaseError as error:
        fail(f"cannot use the database {shown}: {error}")
    except DATABASE_ERRORS as error:
        fail(f"cannot migrate the database {shown}: {reason(error)}")


def app_or_fail(
    settings: Settings,
    *,
    known_client: str | None = None,
    tracing: Tracing | None = None,
    siblings: Path | None = None,
) -> Starlette:
    """Make the application, or end the command saying what is wrong; for the arguments see `create_app`."""
    try:
        return create_app(settings, known_client=known_client, tracing=tracing, siblings=siblings)
    except ArtifactError as error:
        fail(f"the model in {settings.model_dir} cannot be used: {error}")
    except ClientsError as error:
        fail(str(error))
