"""Settings, PostgreSQL, migrations and the model of commands that use the service's own database.

The embedded server starts while Python imports the rest, which takes longer, so imports are local.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import unquote, urlsplit

from app.cli.output import fail
from app.clients.credentials import file_entries, plain_secrets
from app.local_postgres import local_postgres
from app.settings import Environment, Settings, load_settings

if TYPE_CHECKING:
    from app.database.engine import SessionFactory
    from ml.model.ensemble import Ensemble

MIN_SECRET_LENGTH: Final = 16
"""Minimum characters of a client's secret in production."""

EXAMPLE: Final = "change-me"
"""The placeholder for secrets in the examples of `deploy/environments`."""

DatabaseUrl = Callable[[], str]
"""Waits until the database takes connections, and returns its URL."""

Result = TypeVar("Result")


def settings_or_fail(**overrides: object) -> Settings:
    """Return the settings, or end the command if their secrets are too weak.

    Raises:
        SettingsError: a setting is wrong.
    """
    settings = load_settings(**overrides)
    if weak := weak_secrets(settings):
        fail("\n".join(weak))
    return settings


def weak_secrets(settings: Settings) -> list[str]:
    """Return one line per weak secret; none outside production.

    An unreadable clients file is reported when the service reads it.
    """
    if settings.environment is not Environment.PRODUCTION:
        return []
    problems = []
    if settings.database_url is not None:
        password = urlsplit(settings.database_url.get_secret_value()).password
        if password is not None and unquote(password) == EXAMPLE:
            problems.append(
                f"GENREGRAPH_DATABASE_URL: the password is the example's, {EXAMPLE}. Set your own."
            )
    if settings.clients is not None:
        problems += _weak("GENREGRAPH_CLIENTS", settings.clients.get_secret_value().split(","))
    if settings.clients_file is not None:
        with suppress(OSError, ValueError):
            problems += _weak("GENREGRAPH_CLIENTS_FILE", file_entries(settings.clients_file))
    return problems


@contextmanager
def database_starting(settings: Settings, *, join: bool = False) -> Iterator[DatabaseUrl]:
    """Yield the database of the settings; without one, run an embedded PostgreSQL in this context.

    With `join`, use the embedded server of another process, if there is one.

    Raises:
        EmbeddedPostgresError: the embedded server cannot run.
    """
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value
        return
    with local_postgres(settings.data_dir, join=join) as url:
        yield url


@contextmanager
def database_url_of(settings: Settings) -> Iterator[str]:
    """Yield the URL of the configured database, or of the embedded one, which is started if necessary."""
    with database_starting(settings, join=True) as url:
        migrate_or_fail(url())
        yield url()


def on_database(settings: Settings, work: Callable[[SessionFactory], Awaitable[Result]]) -> Result:
    """Run work on the database of the settings and return its result; end the command if it fails."""
    from app.database.connect import Database
    from app.database.engine import connected
    from app.database.errors import DATABASE_ERRORS, reason

    async def run(url: str) -> Result:
        async with connected(Database(url)) as sessions:
            return await work(sessions)

    with database_url_of(settings) as url:
        try:
            return asyncio.run(run(url))
        except DATABASE_ERRORS as error:
            fail(f"the database cannot be used: {reason(error)}")


def migrate_or_fail(database_url: str, *, start_empty: bool = False) -> str | None:
    """Migrate the database, emptied first on request, and return its revision, or end the command.

    Raises:
        DatabaseUrlError: the URL is wrong.
    """
    from app.database.connect import Database
    from app.database.errors import DATABASE_ERRORS, reason
    from app.database.migrate import UnsuitableDatabaseError, migrate

    shown = Database(database_url).url.shown
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
    from ml.model.artifact import load_ensemble

    with using_model(settings):
        return load_ensemble(settings.model_dir)


@contextmanager
def using_model(settings: Settings) -> Iterator[None]:
    """End the command if the model of the settings, which is loaded in this context, cannot be used."""
    from ml.model.artifact import ArtifactError

    try:
        yield
    except ArtifactError as error:
        fail(f"the model in {settings.model_dir} cannot be used: {error}")


def _weak(setting: str, entries: Iterable[str]) -> list[str]:
    return [
        f"{setting}: the secret of {client_id} is {'the example' if secret == EXAMPLE else 'too short'}. "
        f"Production requires {MIN_SECRET_LENGTH} characters; `openssl rand -hex 32` makes a secret."
        for client_id, secret in plain_secrets(entries)
        if secret == EXAMPLE or len(secret) < MIN_SECRET_LENGTH
    ]
