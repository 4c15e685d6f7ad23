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
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 for a free one.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the embedded database.")] = None,
    processes: Annotated[
        str | None, typer.Option(help="Number of processes that share the port; auto for one per core.")
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
    # uvicorn finishes requests and then raises the signal again; as an exception, it also stops the
    # database.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with database_starting(settings) as url:
        gc.disable()  # scanning imports for garbage takes a tenth of the startup time
        with not_installed("rich"):  # structlog would use it for tracebacks
            from app.cli.serving import run_serve
        code = run_serve(settings, url)
    if code:
        raise typer.Exit(code)
