"""What a command that serves does before it imports the rest: read the settings, and start PostgreSQL.

The embedded server becomes ready while Python imports, which takes longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from app.cli.failure import fail
from app.cli.weak_secrets import weak_secrets
from app.local_postgres import EmbeddedPostgresError, local_postgres
from app.settings import Settings, SettingsError, load_settings

DatabaseUrl = Callable[[], str]
"""Waits until the database takes connections, and returns its URL."""


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
    with ExitStack() as stack:
        try:
            ready = stack.enter_context(local_postgres(settings.data_dir, join=join))
        except EmbeddedPostgresError as error:
            fail(str(error))

        def url() -> str:
            try:
                return ready()
            except EmbeddedPostgresError as error:
                fail(str(error))

        yield url
