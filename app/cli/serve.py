"""`genregraph serve`."""

from __future__ import annotations

import gc
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the embedded database.")] = None,
    processes: Annotated[
        str | None, typer.Option(help="How many processes share the port, or auto: one for each core.")
    ] = None,
) -> None:
    """Serve the API. Without GENREGRAPH_DATABASE_URL it runs its own PostgreSQL.

    Examples:
      genregraph serve
      genregraph serve --port 9000 --processes auto
    """
    from app.cli.startup import database_starting, settings_or_fail
    from ml.optional_packages import not_installed

    settings = settings_or_fail(host=host, port=port, data_dir=data_dir, processes=processes)
    # uvicorn ends requests gracefully and then raises the signal again; as an exception it lets the
    # database be stopped too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with database_starting(settings) as url:
        gc.disable()  # what is imported stays, and looking for garbage in it takes a tenth of the time
        with not_installed("rich"):  # by which structlog would show tracebacks in colour
            from app.cli.serving import run_serve
        code = run_serve(settings, url)
    if code:
        raise typer.Exit(code)
