"""Commands of operators: `genregraph clients`, `database`, `migrate` and `schema`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar
from urllib.parse import unquote, urlsplit

import typer

from app.cli.help import Command, group
from app.cli.options import JsonOption
from app.cli.output import USAGE, fail, print_json, print_table
from app.clients.roles import Role

if TYPE_CHECKING:
    from app.clients.administration import ClientAccount, ClientAccounts
    from app.clients.credentials import Credential
    from app.settings import Settings

Result = TypeVar("Result")

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

clients = group(
    name="clients",
    help="""Manage clients. Running services notice changes within seconds.

Examples:
  genregraph clients add nightly > nightly.secret
  genregraph clients list
""",
    add_completion=False,
)

Name = Annotated[str, typer.Argument(help="Client ID.", show_default=False)]


@clients.command(cls=Command)
def add(name: Name, role: Annotated[Role, typer.Option(help="Role.")] = Role.WRITER) -> None:
    """Add a client. Its secret is printed once to standard output and stored only as a hash.

    Examples:
      genregraph clients add nightly > nightly.secret
      genregraph clients add dashboard --role reader
    """
    secret = _with_accounts(lambda accounts: accounts.add(name, role))
    typer.secho(f"Client {name} added as {role.value}. Its secret, shown this once:", err=True)
    typer.echo(secret)


@clients.command(cls=Command)
def rotate(
    name: Name,
    grace: Annotated[
        str, typer.Option(help="How long the old secret remains valid: 30m, 24h, 7d, 0.")
    ] = "24h",
) -> None:
    """Replace a client's secret. The new one is printed once; the old one expires after --grace.

    Examples:
      genregraph clients rotate nightly
      genregraph clients rotate nightly --grace 0
    """
    length = _duration(grace)
    until = datetime.now(UTC) + length
    secret = _with_accounts(lambda accounts: accounts.rotate(name, length))
    ending = f"is valid until {until:%Y-%m-%d %H:%M} UTC" if length else "is no longer valid"
    typer.secho(f"The old secret of {name} {ending}. The new one, shown this once:", err=True)
    typer.echo(secret)


@clients.command(cls=Command)
def revoke(name: Name) -> None:
    """Revoke all secrets of a client. Its batches and songs are kept.

    Examples:
      genregraph clients revoke nightly
    """
    _with_accounts(lambda accounts: accounts.revoke(name))
    typer.secho(f"Client {name} is revoked; running services notice within seconds.", err=True)


@clients.command(name="list", cls=Command)
def list_(as_json: JsonOption = False) -> None:
    """List the clients in the database and in the settings.

    Examples:
      genregraph clients list
      genregraph clients list --json
    """
    import asyncio

    from app.cli.startup import settings_or_fail
    from app.clients.administration import ClientAccounts

    accounts = _with_accounts(ClientAccounts.all)
    configured = asyncio.run(_configured(settings_or_fail()))
    if as_json:
        print_json(
            [{**asdict(account), "source": "database"} for account in accounts]
            + [
                {"name": client.client_id, "role": client.role, "source": source}
                for source, client in configured
            ]
        )
        return
    table: list[tuple[str, ...]] = []
    for account in accounts:
        added, used = _day(account.created_at), _day(account.last_used_at) or "never"
        table.append((account.name, account.role.value, "database", added, used, _secrets(account)))
    for source, client in configured:
        table.append((client.client_id, client.role.value, source, "", "", "valid while configured"))
    print_table(("client", "role", "kept in", "added", "last used", "secrets"), table)


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


def _duration(text: str) -> timedelta:
    if text == "0":
        return timedelta(0)
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if match is None:
        fail(f"--grace: {text!r} is not a duration such as 30m, 24h, 7d or 0", USAGE)
    return timedelta(**{UNITS[match[2]]: int(match[1])})


def _with_accounts(work: Callable[[ClientAccounts], Awaitable[Result]]) -> Result:
    from app.cli.startup import on_database, settings_or_fail
    from app.clients.administration import ClientAccounts

    return on_database(settings_or_fail(), lambda sessions: work(ClientAccounts(sessions)))


async def _configured(settings: Settings) -> list[tuple[str, Credential]]:
    """Return the clients in the settings, each with the name of its setting."""
    from app.clients.directory import configured_sources

    sources = configured_sources(settings)
    return [(name, client) for name, read in sources.items() for client in await read()]


def _secrets(account: ClientAccount) -> str:
    if account.revoked_at is not None:
        return f"revoked {_day(account.revoked_at)}"
    now = datetime.now(UTC)
    valid = [expires_at for _, expires_at in account.secrets if expires_at is None or expires_at > now]
    ends = [f"until {_day(expires_at)}" if expires_at else "no end" for expires_at in valid]
    return f"{len(valid)} valid: {', '.join(ends)}" if valid else "none valid"


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""
