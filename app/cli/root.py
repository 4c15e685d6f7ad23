"""The command `genregraph` and its subcommands."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from app import __version__
from app.cli.administration import clients, database, migrate, schema
from app.cli.batches import batch, batches, download, reclassify
from app.cli.bulk import bulk
from app.cli.classify import classify
from app.cli.evaluate import evaluate
from app.cli.help import Command, QuickGroup, group
from app.cli.output import FAILED, INTERRUPTED, Output, print_failure
from app.cli.serve import demo, serve, worker
from app.cli.songs import genres, labels, song, songs
from app.cli.training import learn, sample_data, train, tune
from app.cli.verify import verify
from ml.errors import UserError

COMMANDS = (
    *(serve, worker, demo),
    *(classify, genres, songs, song, batches, batch, download),
    *(verify, labels, reclassify),
    *(migrate, database),
    *(train, tune, learn, evaluate),
    *(bulk, sample_data, schema),
)
"""In the order of the help. Their modules import what a command runs only when it is called."""

ONLY_PRINT = frozenset({"schema", "clients", "genres", "songs", "song", "batches", "download", "labels"})
"""Commands whose result is what they print, such as a new secret: without that they have failed."""


class _Commands(QuickGroup):
    """Ends a command with one line for an error that its user can act on."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")  # pydantic's, which Typer keeps
            raise
        except UserError as error:
            print_failure(error)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            print_failure(UserError("interrupted"))
            raise typer.Exit(INTERRUPTED) from None


cli = group(
    name="genregraph",
    help="""Song genres over GraphQL: upload a CSV of songs, get each song's genre back.

Examples:
  genregraph demo
  genregraph classify songs.csv
  genregraph songs --genre metal
  genregraph COMMAND --help
""",
    cls=_Commands,
)

for command in COMMANDS:
    cli.command(cls=Command)(command)
cli.add_typer(clients)


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
