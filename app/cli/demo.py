"""`genregraph demo`: the main job, end to end."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.cli.client import LOCAL_CLIENT, GraphQLClient, NotReachedError, RefusedError
from app.cli.failure import FAILED, fail
from app.cli.results import print_result
from app.cli.sending import upload
from app.cli.startup import app_or_fail, database_of, settings_or_fail
from app.http.background_server import running
from app.logs import configure_logs
from app.resources import resource

SONGS_BY_GENRE = """
query SongsByGenre {
  genres { name songCount songs(first: 1) { nodes { title confidence } } }
}
"""


def demo(
    file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Classify this file, not the sample.")
    ] = None,
) -> None:
    """Start the service on a PostgreSQL of its own, classify the sample songs, query them, stop."""
    console = Console()
    settings = settings_or_fail()
    configure_logs(settings.effective_log_format, logging.WARNING)
    path = file or resource("data") / "sample" / "songs.csv"
    # A database and a client of its own: a running service, or the operator's database, stays untouched.
    own = settings.model_copy(
        update={"database_url": None, "clients": None, "data_dir": settings.data_dir / "demo"}
    )
    with database_of(own, start_empty=True) as ready, running(app_or_fail(ready)) as port:
        url = f"http://127.0.0.1:{port}/graphql"
        console.print(f"Serving on {url}, with PostgreSQL of its own.", highlight=False)
        with GraphQLClient(url, LOCAL_CLIENT, LOCAL_CLIENT) as client:
            try:
                result = upload(client, path, {})
                print_result(console, path.name, result)
                if result["__typename"] != "Batch":
                    raise typer.Exit(FAILED)
                _print_genres(console, client)
            except (NotReachedError, RefusedError) as error:
                fail(str(error))


def _print_genres(console: Console, client: GraphQLClient) -> None:
    table = Table("genre", "songs stored", "one of them", "confidence")
    for genre in client.execute(SONGS_BY_GENRE)["genres"]:
        song = genre["songs"]["nodes"][0]
        table.add_row(
            escape(genre["name"]),
            f"{genre['songCount']:,}",
            escape(song["title"]),
            f"{song['confidence']:.2f}",
        )
    console.print(table)
