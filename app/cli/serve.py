"""`genregraph serve`."""

from __future__ import annotations

import gc
import signal
import socket
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvicorn

from app.cli.graceful_server import GracefulServer
from app.cli.startup import app_or_fail, database_of, known_client, settings_or_fail
from app.http.draining import Draining
from app.http.http_protocol import CONNECTION_LIMITS
from app.logs import configure_logs
from app.telemetry.tracing import tracing

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
    with database_of(settings) as ready, tracing() as traces:
        app = app_or_fail(ready, known_client=known_client(settings), tracing=traces)
        # What is there now stays: without this, a full collection in the middle of a batch looks at it
        # all over again and stops every thread for a tenth of a second.
        gc.collect()
        gc.freeze()
        draining = Draining(traces.requests(app))

        def stop() -> None:
            # At once: whoever follows a batch would hold the server up.
            app.state.stop()
            draining.begin()

        config = uvicorn.Config(
            draining,
            host=ready.host,
            port=ready.port,
            log_config=None,
            forwarded_allow_ips=ready.trusted_proxies,
            access_log=False,
            **CONNECTION_LIMITS,
            timeout_graceful_shutdown=ready.shutdown_grace_seconds,
        )
        server = _Server(config, on_signal=stop, delay_seconds=ready.shutdown_delay_seconds)
        server.pages = ready.playground
        try:
            server.run()
        except KeyboardInterrupt:
            raise typer.Exit(0) from None
        if not server.started:
            raise typer.Exit(STARTUP_FAILURE)


class _Server(GracefulServer):
    """Says where to look once it listens, where there are pages; only then a free port has its number."""

    pages = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say where."""
        await super().startup(sockets)
        if self.started and self.pages:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            log.info("open in a browser", url=browser_url(host, port))


def browser_url(host: str, port: int) -> str:
    """Return where a browser on this machine finds a server that listens on `host` and `port`."""
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - it is read, not bound
    return f"http://[{here}]:{port}/" if ":" in here else f"http://{here}:{port}/"
