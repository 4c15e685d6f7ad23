"""`genregraph demo`: classify a file end to end."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from app.cli.options import LOCAL_CLIENT, Service, songs_option
from app.cli.output import FAILED, print_line, print_table, program

SONGS_BY_GENRE = """
query SongsByGenre {
  genres { name songCount songs(first: 1) { nodes { title confidence } } }
}
"""


def demo(
    file: Annotated[
        Path | None, songs_option(help="File to classify instead of the sample; - for standard input.")
    ] = None,
) -> None:
    """Start the service with its own PostgreSQL, classify the sample songs, query them, and stop.

    Examples:
      genregraph demo
      genregraph demo --file songs.csv
    """
    from app import resource
    from app.cli.client import connected
    from app.cli.serving import database_of
    from app.cli.startup import settings_or_fail, using_model
    from app.http.servers import running
    from app.main import create_app
    from app.observability.logs import configure_logs

    settings = settings_or_fail()
    configure_logs(settings.effective_log_format, logging.WARNING)
    path = file or resource("data") / "sample" / "songs.csv"
    # Its own database and client, so that a running service or the operator's database is not changed.
    own = settings.model_copy(
        update={"database_url": None, "clients": None, "data_dir": settings.data_dir / "demo"}
    )
    with database_of(own) as ready:
        with using_model(ready):
            app = create_app(ready)
        with running(app) as port:
            url = f"http://127.0.0.1:{port}/graphql"
            typer.echo(f"Serving on {url}, with its own PostgreSQL.")
            with connected(url, LOCAL_CLIENT, LOCAL_CLIENT, retries=0) as client:
                _show(client, path)
    print_line(
        f"Next: start the service with `{program()} serve` and open its page. Try the sample songs there, "
        "correct ten under Review, and the model can learn from them."
    )


def _show(client: Service, path: Path) -> None:
    from app.cli.results import Outcome, print_outcome
    from app.cli.sending import upload

    outcome = Outcome(path, upload(client, path, {}))
    print_outcome(outcome)
    if not outcome.stored:
        raise typer.Exit(FAILED)
    rows = (
        (genre["name"], genre["songCount"], song["title"], song["confidence"])
        for genre in client.execute(SONGS_BY_GENRE)["genres"]
        for song in genre["songs"]["nodes"]
    )
    print_table(("genre", "songs stored", "one of them", "confidence"), rows)
