"""`genregraph serve`."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
import uvicorn

from app.cli.startup import app_or_fail, database_of, known_client, settings_or_fail
from app.logs import configure_logs

GRACE_SECONDS = 30
"""How long running requests may take to end after SIGTERM."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the embedded database.")] = None,
) -> None:
    """Serve the API. Without GENREGRAPH_DATABASE_URL it runs its own PostgreSQL."""
    settings = settings_or_fail(host=host, port=port, data_dir=data_dir)
    configure_logs(settings.effective_log_format)
    # uvicorn ends requests gracefully and then raises the signal again; as an exception it lets the
    # database be stopped too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with database_of(settings) as ready:
        app = app_or_fail(ready, known_client=known_client(settings))
        # What is there now stays: without this, a full collection in the middle of a batch looks at it
        # all over again and stops every thread for a tenth of a second.
        gc.collect()
        gc.freeze()
        config = uvicorn.Config(
            app,
            host=ready.host,
            port=ready.port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        try:
            _Server(config, app.state.stop).run()
        except KeyboardInterrupt:
            raise typer.Exit(0) from None


class _Server(uvicorn.Server):
    """Tells the application of a signal at once: whoever follows a batch would hold the server up."""

    def __init__(self, config: uvicorn.Config, stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._stop = stop

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._stop()
        super().handle_exit(sig, frame)
