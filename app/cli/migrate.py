"""`genregraph migrate`."""

from __future__ import annotations

import typer

from app.cli.output import USAGE, fail


def migrate() -> None:
    """Bring the database of GENREGRAPH_DATABASE_URL to the newest revision.

    Examples:
      GENREGRAPH_DATABASE_URL=postgresql://… genregraph migrate
    """
    from app.cli.startup import migrate_or_fail, settings_or_fail

    settings = settings_or_fail()
    if settings.database_url is None:
        fail("set GENREGRAPH_DATABASE_URL; the embedded database is migrated whenever it starts", USAGE)
    revision = migrate_or_fail(settings.database_url.get_secret_value())
    typer.echo(f"The database is at revision {revision}.")
