"""What commands need that work on the service's own database: settings, PostgreSQL, migrations.

The embedded server becomes ready while Python imports the rest, which takes longer: so imports come where
they are used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from app.cli.output import fail
from app.cli.weak_secrets import weak_secrets
from app.local_postgres import EmbeddedPostgresError, local_postgres
from app.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from app.database.engine import SessionFactory
    from ml.model.ensemble import Ensemble

DatabaseUrl = Callable[[], str]
"""Waits until the database takes connections, and returns its URL."""

Result = TypeVar("Result")


def settings_or_fail(**overrides: object) -> Settings:
    """Return the settings, or end the command saying which one is wrong."""
    try:
        settings = load_settings(**overrides)
    except SettingsError as error:
        fail(str(error))
    if weak := weak_secrets(settings):
        fail("\n".join(weak))
    return settings


@contextmanager
def database_starting(settings: Settings, *, join: bool = False) -> Iterator[DatabaseUrl]:
    """Give the database of the settings; without one, an embedded PostgreSQL runs inside this context.

    Args:
        settings: with or without a database.
        join: use the embedded server that another process runs, if there is one.
    """
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value
        return
    try:
        with local_postgres(settings.data_dir, join=join) as url:
            yield url
    except EmbeddedPostgresError as error:
        fail(str(error))


@contextmanager
def database_url_of(settings: Settings) -> Iterator[str]:
    """Give the URL of the database: the one set, the embedded one that runs, or one started for this."""
    with database_starting(settings, join=True) as url:
        migrate_or_fail(url())
        yield url()


def on_database(settings: Settings, work: Callable[[SessionFactory], Awaitable[Result]]) -> Result:
    """Return what work on the database of the settings returns, or end the command if it is lost."""
    from app.database.connect import Database
    from app.database.engine import create_engine, create_session_factory
    from app.database.errors import DATABASE_ERRORS, reason

    async def run(url: str) -> Result:
        engine = create_engine(Database(url))
        try:
            return await work(create_session_factory(engine))
        finally:
            await engine.dispose()

    with database_url_of(settings) as url:
        try:
            return asyncio.run(run(url))
        except DATABASE_ERRORS as error:
            fail(f"the database cannot be used: {reason(error)}")


def migrate_or_fail(database_url: str, *, start_empty: bool = False) -> str | None:
    """Migrate the database to the newest revision and return it, or end the command saying why not.

    Args:
        database_url: the database.
        start_empty: drop all that is stored first.
    """
    from app.database.check import UnsuitableDatabaseError
    from app.database.connect import Database
    from app.database.errors import DATABASE_ERRORS, reason
    from app.database.migrate import migrate
    from app.database.url import DatabaseUrlError

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


def model_or_fail(settings: Settings) -> Ensemble:
    """Return the model of the settings, or end the command if it cannot be used."""
    from ml.model.artifact import ArtifactError, load_ensemble

    try:
        return load_ensemble(settings.model_dir)
    except ArtifactError as error:
        fail(f"the model in {settings.model_dir} cannot be used: {error}")
