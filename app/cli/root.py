"""The command `genregraph` and its subcommands."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any

import typer

from app import __version__
from app.cli.help import Command, QuickGroup
from app.cli.output import FAILED
from app.cli.streams import Output

COMMANDS = {
    "serve": "Serve the API.",
    "worker": "Work on background batches, beside the workers inside `serve`, on this machine or any other.",
    "demo": "Start the service on a PostgreSQL of its own, classify the sample songs, query them, stop.",
    "classify": "Upload song files to a running service and print what it stored.",
    "genres": "List the genres of stored songs with counts.",
    "songs": "List stored songs.",
    "song": "Show a stored song, its genre probabilities and, on request, why.",
    "batches": "List your batches, newest first; admins see all clients' batches.",
    "batch": "Show, follow, cancel or delete a batch.",
    "download": "Download a batch's results: each song's genre, confidence and probabilities.",
    "verify": "Store the right genres of songs from a CSV file.",
    "labels": "Print all songs whose genre a person verified, as CSV.",
    "reclassify": "Classify stored songs again with the current model (admins only).",
    "migrate": "Bring the database of GENREGRAPH_DATABASE_URL to the newest revision.",
    "database": "Run a program of PostgreSQL, such as psql or pg_dump, on the database.",
    "clients": "Look after the clients that may call.",
    "train": "Train a model on labelled songs, print how well its recipe does, and draw figures of that.",
    "tune": "Search for training parameters with a lower log-loss in artist-grouped folds.",
    "learn": "Continue from the model with the songs of the database whose genres people verified.",
    "evaluate": "Score a model on labelled songs: print tables, write figures and metrics.json.",
    "bulk": "Classify whole catalogues: many large CSV or Parquet files, on all cores or on a Dask cluster.",
    "sample-data": "Write the synthetic sample songs: features.csv, labels.csv and songs.csv.",
    "schema": "Print the GraphQL schema in SDL.",
}
"""The commands with their help in one line. Each is a function, or a group of commands, of its name in a
module of its name, `_` for `-`; that module imports what the command runs only when it is called."""

ONLY_PRINT = frozenset({"schema", "clients", "genres", "songs", "song", "batches", "download", "labels"})
"""Commands whose result is what they print, such as a new secret: without that they have failed."""


class _Commands(QuickGroup):
    """Shows commands from the table, and imports one when it is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands.update({name: Command(name, help=text) for name, text in COMMANDS.items()})

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the command that is called, imported, with its name and its arguments."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, None if name is None else load_command(name), rest


def load_command(name: str) -> Any:
    """Import a command of the table."""
    identifier = name.replace("-", "_")
    loaded = getattr(import_module(f"app.cli.{identifier}"), identifier)
    if isinstance(loaded, typer.Typer):
        return typer.main.get_command(loaded)
    command = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None, add_completion=False)
    command.command(name, cls=Command)(loaded)
    return typer.main.get_command(command)


cli = typer.Typer(
    name="genregraph",
    help="""Song genres over GraphQL: upload a CSV of songs, get each song's genre back.

Examples:
  genregraph demo
  genregraph classify songs.csv
  genregraph songs --genre metal
  genregraph COMMAND --help
""",
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
    """Run the command line. Lost output changes no exit code, unless the output is the result."""
    output = Output()
    code: int | str | None = 0
    try:
        cli()
    except SystemExit as ended:
        code = ended.code
    if (lost := output.lost()) is not None:
        typer.echo(f"genregraph: the output is lost: {lost}", err=True)
        if sys.argv[1] in ONLY_PRINT:
            code = code or FAILED
    sys.exit(code)


if __name__ == "__main__":
    main()
