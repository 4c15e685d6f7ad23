"""The command `genregraph` and its subcommands."""

from __future__ import annotations

from typing import Annotated

import typer

from app import __version__
from app.cli import classify, demo, evaluate, migrate, sample_data, schema, serve, train, tune, worker

cli = typer.Typer(
    name="genregraph",
    help="Song genres over GraphQL: upload a CSV of songs, get each song's genre back.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

cli.command()(serve.serve)
cli.command()(worker.worker)
cli.command()(demo.demo)
cli.command()(classify.classify)
cli.command()(migrate.migrate)
cli.command()(train.train)
cli.command()(tune.tune)
cli.command()(evaluate.evaluate)
cli.command(name="sample-data")(sample_data.sample_data)
cli.command()(schema.schema)


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
