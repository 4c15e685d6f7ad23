"""What `genregraph serve` runs."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
import typer
import uvicorn

from app.cli.banner import say_where
from app.cli.failure import fail
from app.cli.graceful_server import GracefulServer
from app.cli.local_database import DatabaseUrl
from app.cli.processes import Place, Processes
from app.cli.startup import app_or_fail, known_client, with_database
from app.http.http_protocol import CONNECTION_LIMITS
from app.http.servers import Draining
from app.observability.logs import configure_logs
from app.observability.tracing import tracing
from app.settings import Settings

STARTUP_FAILURE = 3
"""Exit code, as uvicorn's own, of a server that could not start."""

STOP_MARGIN_SECONDS = 60.0
"""How much longer than its requests a process may take to stop: a worker hands its batches over."""

log = structlog.get_logger(__name__)


def run_serve(settings: Settings, url: DatabaseUrl) -> int:
    """Serve until a signal comes, and return the exit code.

    Args:
        settings: of the service.
        url: waits for the database.
    """
    configure_logs(settings.effective_log_format)
    known = known_client(settings)
    ready = with_database(settings, url)
    return _serve(ready, known) if ready.processes == 1 else _serve_together(ready, known)


def _serve(
    settings: Settings, known: str | None, place: Place | None = None, siblings: Path | None = None
) -> int:
    """Serve in this process, and return its exit code.

    Args:
        settings: with a database.
        known: the client that everybody knows.
        place: of this process among several; None if there is one.
        siblings: the folder that these share.
    """
    with tracing() as traces:
        app = app_or_fail(settings, known_client=known, tracing=traces, siblings=siblings)
        # What is there now stays: without this, a full collection in the middle of a batch looks at it
        # all over again and stops every thread for a tenth of a second.
        gc.freeze()
        gc.enable()
        draining = Draining(traces.requests(app))

        def stop() -> None:
            # At once: whoever follows a batch would hold the server up.
            app.state.stop()
            draining.begin()

        config = uvicorn.Config(
            draining,
            host=settings.host,
            port=settings.port,
            log_config=None,
            forwarded_allow_ips=settings.trusted_proxies,
            access_log=False,
            **CONNECTION_LIMITS,
            timeout_graceful_shutdown=settings.shutdown_grace_seconds,
        )
        server = _Server(config, on_signal=stop, delay_seconds=settings.shutdown_delay_seconds)
        server.place = place
        if place is None or place.number == 0:
            server.say_where = partial(say_where, settings, known)
        try:
            server.run(None if place is None else place.sockets)
        except KeyboardInterrupt:
            return 0
        return 0 if server.started else STARTUP_FAILURE


def _serve_together(settings: Settings, known: str | None) -> int:
    """Serve in several processes; the first one has the worker."""
    with TemporaryDirectory(prefix="genregraph-") as siblings:

        def serve_in(place: Place) -> int:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            signal.signal(signal.SIGINT, signal.default_int_handler)
            own = settings if place.number == 0 else settings.model_copy(update={"worker_concurrency": 0})
            try:
                return _serve(own, known, place, Path(siblings))
            except typer.Exit as failed:
                return failed.exit_code
            except SystemExit:
                return 0

        stopping = settings.shutdown_delay_seconds + settings.shutdown_grace_seconds + STOP_MARGIN_SECONDS
        try:
            together = Processes(
                settings.processes, settings.host, settings.port, serve_in, stop_seconds=stopping
            )
        except OSError as error:
            fail(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}", STARTUP_FAILURE)
        return together.run()


class _Server(GracefulServer):
    """Says where it is once it listens; only then a free port has its number."""

    say_where: Callable[[str, int], None] | None = None
    place: Place | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say where."""
        await super().startup(sockets)
        if self.started and self.place is not None:
            self.place.ready()
            loop = asyncio.get_running_loop()
            loop.add_reader(self.place.lifeline, self._parent_died, self.place.lifeline)
        if self.started:
            # The first file needs it, and until then the service is as good without.
            asyncio.get_running_loop().run_in_executor(None, import_module, "pandas")
        if self.started and self.say_where is not None:
            self.say_where(*self.servers[0].sockets[0].getsockname()[:2])

    def _parent_died(self, lifeline: int) -> None:
        asyncio.get_running_loop().remove_reader(lifeline)
        self.handle_exit(signal.SIGTERM, None)
