"""`genregraph clients`: who may call."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

import typer

from app.cli.failure import USAGE, fail
from app.cli.help import Command, QuickGroup
from app.clients.roles import Role

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

clients = typer.Typer(
    name="clients",
    help="""Look after the clients that may call. A change is noticed within seconds, without a restart.

Examples:
  genregraph clients add nightly > nightly.secret
  genregraph clients list
""",
    cls=QuickGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)

Name = Annotated[str, typer.Argument(help="The client's id.", show_default=False)]


@clients.command(cls=Command)
def add(name: Name, role: Annotated[Role, typer.Option(help="What it may do.")] = Role.WRITER) -> None:
    """Add a client. Its secret goes to standard output, this once, and is kept nowhere.

    Examples:
      genregraph clients add nightly > nightly.secret
      genregraph clients add dashboard --role reader
    """
    from app.cli.run_clients import add_client

    add_client(name, role)


@clients.command(cls=Command)
def rotate(
    name: Name,
    grace: Annotated[
        str, typer.Option(help="How long the old secret stays valid beside the new one: 30m, 24h, 7d, 0.")
    ] = "24h",
) -> None:
    """Give a client a new secret, which goes to standard output; the old one is valid for the grace.

    Examples:
      genregraph clients rotate nightly
      genregraph clients rotate nightly --grace 0
    """
    length = _duration(grace)
    from app.cli.run_clients import rotate_secret

    rotate_secret(name, length)


@clients.command(cls=Command)
def revoke(name: Name) -> None:
    """End all secrets of a client now. Its batches and songs stay.

    Examples:
      genregraph clients revoke nightly
    """
    from app.cli.run_clients import revoke_client

    revoke_client(name)


@clients.command(name="list", cls=Command)
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """List the clients: those in the database, and those of the settings.

    Examples:
      genregraph clients list
      genregraph clients list --json
    """
    from app.cli.run_clients import list_clients

    list_clients(as_json=as_json)


def _duration(text: str) -> timedelta:
    if text == "0":
        return timedelta(0)
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if match is None:
        fail(f"--grace: {text!r} is no length of time such as 30m, 24h, 7d or 0", USAGE)
    return timedelta(**{UNITS[match[2]]: int(match[1])})
