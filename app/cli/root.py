"""The command `genregraph` and its subcommands."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from app import __version__

COMMANDS = (
    "serve",
    "worker",
    "demo",
    "classify",
    "migrate",
    "clients",
    "train",
    "tune",
    "evaluate",
    "bulk",
    "sample-data",
    "schema",
)
"""Each is a function, or a group of commands, of its name in a module of its name, `_` for `-`."""


class _Commands(TyperGroup):
    """Imports a command when it is called: most need seconds for libraries that the others do not use."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - click's own method
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        module = import_module(f"app.cli.{name}")
        if isinstance(group := getattr(module, name), typer.Typer):
            return typer.main.get_command(group)
        command = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None, add_completion=False)
        command.command(cmd_name)(getattr(module, name))
        return typer.main.get_command(command)


cli = typer.Typer(
    name="genregraph",
    help="Song genres over GraphQL: upload a CSV of songs, get each song's genre back.",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"genregraph {__version__}")
        raise typer.Exit


@cli.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line."""
    cli()


if __name__ == "__main__":
    main()
