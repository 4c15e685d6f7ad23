"""`genregraph database`, `migrate` and `schema`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

import typer

from app.cli.output import USAGE, fail


def database(
    command: Annotated[
        list[str], typer.Argument(help="A program and its arguments, after --.", show_default=False)
    ],
) -> None:
    """Run a program of PostgreSQL, such as psql or pg_dump, on the database.

    The embedded database is started if it is not running; then its own programs come first in PATH.

    Examples:
      genregraph database -- psql
      genregraph database -- pg_dump --format custom --file songs.dump
    """
    from app.cli.startup import database_url_of, settings_or_fail
    from app.local_postgres.programs import find_binaries

    settings = settings_or_fail()
    with database_url_of(settings) as url:
        parts = urlsplit(url)
        # The variables of libpq.
        environment = {
            **os.environ,
            "PGHOST": parts.hostname or "",
            "PGPORT": str(parts.port or 5432),
            "PGUSER": unquote(parts.username or ""),
            "PGPASSWORD": unquote(parts.password or ""),
            "PGDATABASE": unquote(parts.path.removeprefix("/")),
        }
        if settings.database_url is None:
            environment["PATH"] = f"{find_binaries().folder}:{environment['PATH']}"
        # Looked for here: subprocess would look in this process's PATH.
        program = shutil.which(command[0], path=environment["PATH"])
        if program is None:
            fail(f"{command[0]} is not installed. Install PostgreSQL's client programs, or give its path.")
        # The operator's own command, without a shell.
        code = subprocess.run([program, *command[1:]], env=environment, check=False).returncode  # noqa: S603
    if code:
        raise typer.Exit(code)


def migrate() -> None:
    """Bring the database of GENREGRAPH_DATABASE_URL to the newest revision.

    Examples:
      GENREGRAPH_DATABASE_URL=postgresql://… genregraph migrate
    """
    from app.cli.startup import migrate_or_fail, settings_or_fail

    settings = settings_or_fail()
    if settings.database_url is None:
        fail("set GENREGRAPH_DATABASE_URL; the embedded database is migrated at each start", USAGE)
    revision = migrate_or_fail(settings.database_url.get_secret_value())
    typer.echo(f"The database is at revision {revision}.")


def schema(
    out: Annotated[Path | None, typer.Option(help="File to write instead of standard output.")] = None,
) -> None:
    """Print the GraphQL schema in SDL.

    Examples:
      genregraph schema --out schema.graphql
    """
    from graphql_schema.schema import build_schema

    sdl = build_schema().as_str().rstrip() + "\n"
    if out is None:
        typer.echo(sdl, nl=False)
    else:
        out.write_text(sdl, encoding="utf-8")
