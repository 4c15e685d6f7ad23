"""What the commands `genregraph clients …` run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import typer
from rich.console import Console
from rich.table import Table

from app.cli.failure import fail
from app.cli.local_database import settings_or_fail
from app.cli.startup import database_url_of
from app.clients.administration import ClientAccount, ClientAccountError, ClientAccounts
from app.clients.credentials import ClientsError, Credential
from app.clients.directory import FileClients, SettingsClients
from app.clients.roles import Role
from app.database.connect import Database
from app.database.engine import create_engine, create_session_factory
from app.database.errors import DATABASE_ERRORS, reason
from app.settings import Settings

Answer = TypeVar("Answer")


def add_client(name: str, role: Role) -> None:
    """Add a client and print its secret."""
    secret = _with_accounts(lambda accounts: accounts.add(name, role))
    typer.secho(f"Client {name} added as {role.value}. Its secret, shown this once:", err=True)
    typer.echo(secret)


def rotate_secret(name: str, grace: timedelta) -> None:
    """Give a client a new secret and print it; the old one stays valid for the grace."""
    until = datetime.now(UTC) + grace
    secret = _with_accounts(lambda accounts: accounts.rotate(name, grace))
    ending = f"is valid until {until:%Y-%m-%d %H:%M} UTC" if grace else "is not valid any more"
    typer.secho(f"The old secret of {name} {ending}. The new one, shown this once:", err=True)
    typer.echo(secret)


def revoke_client(name: str) -> None:
    """End all secrets of a client."""
    _with_accounts(lambda accounts: accounts.revoke(name))
    typer.secho(f"Client {name} may not call any more; running services notice within seconds.", err=True)


def list_clients(*, as_json: bool) -> None:
    """Print the clients of the database and of the settings."""
    settings = settings_or_fail()
    accounts = _with_accounts(ClientAccounts.all, settings)
    configured = asyncio.run(_configured(settings))
    if as_json:
        entries = [{**asdict(account), "source": "database"} for account in accounts]
        entries += [
            {"name": known.client_id, "role": known.role.value, "source": source}
            for source, known in configured
        ]
        typer.echo(json.dumps(entries, default=lambda moment: moment.isoformat(), indent=2))
        return
    table = Table("client", "role", "kept in", "added", "last used", "secrets")
    for account in accounts:
        table.add_row(
            account.name,
            account.role.value,
            "database",
            _day(account.created_at),
            _day(account.last_used_at) or "never",
            _secrets(account),
        )
    for source, known in configured:
        table.add_row(known.client_id, known.role.value, source, "", "", "valid while it stands there")
    Console().print(table)


def _with_accounts(
    work: Callable[[ClientAccounts], Awaitable[Answer]], settings: Settings | None = None
) -> Answer:
    async def run(url: str) -> Answer:
        engine = create_engine(Database(url))
        try:
            return await work(ClientAccounts(create_session_factory(engine)))
        finally:
            await engine.dispose()

    with database_url_of(settings or settings_or_fail()) as url:
        try:
            return asyncio.run(run(url))
        except ClientAccountError as error:
            fail(str(error))
        except DATABASE_ERRORS as error:
            fail(f"the database cannot be used: {reason(error)}")


async def _configured(settings: Settings) -> list[tuple[str, Credential]]:
    found: list[tuple[str, Credential]] = []
    try:
        if settings.clients is not None:
            of_settings = SettingsClients(settings.clients.get_secret_value())
            found += [("GENREGRAPH_CLIENTS", known) for known in await of_settings.read()]
        if settings.clients_file is not None:
            of_file = FileClients(settings.clients_file)
            found += [("GENREGRAPH_CLIENTS_FILE", known) for known in await of_file.read()]
    except ClientsError as error:
        fail(str(error))
    return found


def _secrets(account: ClientAccount) -> str:
    if account.revoked_at is not None:
        return f"revoked {_day(account.revoked_at)}"
    now = datetime.now(UTC)
    valid = [expires_at for _, expires_at in account.secrets if expires_at is None or expires_at > now]
    ends = [f"until {_day(expires_at)}" if expires_at else "no end" for expires_at in valid]
    return f"{len(valid)} valid: {', '.join(ends)}" if valid else "none valid"


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""
