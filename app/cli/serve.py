"""`genregraph serve`."""

from __future__ import annotations

import gc
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated

import structlog
import typer
import uvicorn

from app.cli.startup import app_or_fail, database_of, known_client, settings_or_fail
from app.logs import configure_logs

GRACE_SECONDS = 30
"""How long running requests may take to end after SIGTERM."""

STARTUP_FAILURE = 3
"""Exit code, as uvicorn's own, of a server that could not start."""

log = structlog.get_logger(__name__)


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
        server = _Server(config, app.state.stop, pages=ready.playground)
        try:
            server.run()
        except KeyboardInterrupt:
            raise typer.Exit(0) from None
        if not server.started:
            raise typer.Exit(STARTUP_FAILURE)


class _Server(uvicorn.Server):
    """Tells the application of a signal at once: whoever follows a batch would hold the server up.

    Where there are pages, it says where to look once it listens; only then a free port has its number.
    """

    def __init__(self, config: uvicorn.Config, stop: Callable[[], None], *, pages: bool) -> None:
        super().__init__(config)
        self._stop = stop
        self._pages = pages

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._pages:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            log.info("open in a browser", url=browser_url(host, port))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._stop()
        super().handle_exit(sig, frame)


def browser_url(host: str, port: int) -> str:
    """Return where a browser on this machine finds a server that listens on `host` and `port`."""
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - it is read, not bound
    return f"http://[{here}]:{port}/" if ":" in here else f"http://{here}:{port}/"
