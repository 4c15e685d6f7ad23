"""What every command that serves does first: a database, its migrations, the clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import structlog
from pydantic import SecretStr
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette

from app.cli.client import LOCAL_CLIENT
from app.cli.failure import fail
from app.database.migrate import migrate
from app.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from app.main import create_app
from app.services.credentials import ClientsError
from app.settings import Settings, SettingsError, load_settings
from app.telemetry.tracing import Tracing
from ml.artifact import ArtifactError

LOCAL_CLIENTS = f"{LOCAL_CLIENT}:{LOCAL_CLIENT}:admin"
"""The client that everybody knows; only a database of our own, on this machine, gets it."""

log = structlog.get_logger(__name__)


def known_client(settings: Settings) -> str | None:
    """Return the client that everybody knows, if these settings let it in without saying so."""
    return LOCAL_CLIENT if settings.database_url is None and settings.clients is None else None


def settings_or_fail(**overrides: object) -> Settings:
    """Return the settings, or end the command saying which one is wrong."""
    try:
        return load_settings(**overrides)
    except SettingsError as error:
        fail(str(error))


@contextmanager
def database_of(settings: Settings, *, start_empty: bool = False) -> Iterator[Settings]:
    """Provide the settings with a running, migrated database and its clients.

    Without a `database_url` an embedded PostgreSQL runs inside this context; only that one may be
    told to start empty.
    """
    if settings.database_url is not None:
        migrate_or_fail(settings.database_url.get_secret_value())
        if settings.clients is None and settings.clients_file is None:
            log.info("only the clients of the database may call; `genregraph clients add NAME` adds one")
        yield settings
        return
    with embedded_database(settings.data_dir) as url:
        migrate_or_fail(url, start_empty=start_empty)
        yield settings.model_copy(
            update={
                "database_url": SecretStr(url),
                "clients": settings.clients or SecretStr(LOCAL_CLIENTS),
            }
        )


@contextmanager
def database_url_of(settings: Settings) -> Iterator[str]:
    """Give the URL of the database: the one set, the embedded one that runs, or one started for this."""
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        migrate_or_fail(url)
        yield url
        return
    try:
        running = EmbeddedPostgres(settings.data_dir).running_url() if settings.data_dir.exists() else None
    except EmbeddedPostgresError as error:
        fail(str(error))
    if running is not None:
        yield running
        return
    with embedded_database(settings.data_dir) as url:
        migrate_or_fail(url)
        yield url


@contextmanager
def embedded_database(data_dir: Path) -> Iterator[str]:
    """Run an embedded PostgreSQL with its data in `data_dir`, and give its URL."""
    server = EmbeddedPostgres(data_dir)
    try:
        url = server.start()
    except EmbeddedPostgresError as error:
        fail(str(error))
    try:
        yield url
    finally:
        server.stop()


def migrate_or_fail(database_url: str, *, start_empty: bool = False) -> str | None:
    """Migrate the database to the newest revision and return it, or end the command saying why not.

    Args:
        database_url: the database.
        start_empty: drop all that is stored first.
    """
    try:
        if start_empty:
            migrate(database_url, "base")
        return migrate(database_url)
    except (TimeoutError, SQLAlchemyError, asyncpg.PostgresError, OSError) as error:
        url = make_url(database_url)
        reason = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
        fail(f"cannot migrate the database {url.database} at {url.host}:{url.port or 5432}: {reason[0]}")


def app_or_fail(
    settings: Settings, *, known_client: str | None = None, tracing: Tracing | None = None
) -> Starlette:
    """Make the application, or end the command saying what is wrong; for the arguments see `create_app`."""
    try:
        return create_app(settings, known_client=known_client, tracing=tracing)
    except ArtifactError as error:
        fail(f"the model in {settings.model_dir} cannot be used: {error}")
    except ClientsError as error:
        fail(str(error))
