"""Run the application on a migrated database, in one process or several."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import structlog
import typer
import uvicorn
from pydantic import SecretStr

from app import __version__
from app.cli.graceful_server import GracefulServer
from app.cli.options import LOCAL_CLIENT
from app.cli.output import fail, print_failure
from app.cli.processes import Place, Processes
from app.cli.startup import DatabaseUrl, database_starting, migrate_or_fail, using_model
from app.clients.credentials import parse_clients
from app.http.servers import SERVER_OPTIONS
from app.main import create_app
from app.observability.logs import configure_logs
from app.observability.tracing import tracing
from app.settings import Environment, LogFormat, Settings
from ml.errors import UserError

LOCAL_CLIENTS: Final = f"{LOCAL_CLIENT}:{LOCAL_CLIENT}:admin"
"""The well-known client, which only the embedded database gets."""

MAX_CLIENTS: Final = 5
"""Maximum client IDs in the banner."""

STARTUP_FAILURE: Final = 3
"""Exit code of a server that could not start, as uvicorn's."""

STOP_MARGIN_SECONDS: Final = 60.0
"""How much longer than its requests a process may take to stop, since a worker hands over its batches."""

log = structlog.get_logger(__name__)


def run_serve(settings: Settings, url: DatabaseUrl) -> int:
    """Serve until a signal arrives, and return the exit code."""
    configure_logs(settings.effective_log_format)
    known = _known_client(settings)
    ready = _with_database(settings, url)
    return _serve(ready, known) if ready.processes == 1 else _serve_together(ready, known)


@contextmanager
def database_of(settings: Settings) -> Iterator[Settings]:
    """Yield the settings with a running, migrated, empty database and its clients."""
    with database_starting(settings) as url:
        yield _with_database(settings, url, start_empty=True)


def _known_client(settings: Settings) -> str | None:
    """Return the well-known client if these settings imply it."""
    implied = settings.database_url is None and settings.clients is None
    return LOCAL_CLIENT if implied and settings.environment is not Environment.PRODUCTION else None


def _with_database(settings: Settings, url: DatabaseUrl, *, start_empty: bool = False) -> Settings:
    """Return the settings with a migrated and optionally emptied database and its clients."""
    stored_only = settings.clients is None and settings.clients_file is None
    known = None if _known_client(settings) is None else SecretStr(LOCAL_CLIENTS)
    address = url()
    migrate_or_fail(address, start_empty=start_empty)
    if settings.database_url is None:
        update = {"database_url": SecretStr(address), "clients": settings.clients or known}
        settings = settings.model_copy(update=update)
    if stored_only and known is None:
        log.info("only the clients of the database may call; `genregraph clients add NAME` adds one")
    return settings


def _serve(
    settings: Settings, known: str | None, place: Place | None = None, siblings: Path | None = None
) -> int:
    """Serve in this process, which may have a place among several, and return its exit code.

    `known` is the well-known client, if it is allowed, and `siblings` the folder that the processes share.
    """
    with tracing() as traces:
        with using_model(settings):
            app = create_app(settings, known_client=known, tracing=traces, siblings=siblings)
        # Exclude what exists now from garbage collection: a full collection during a batch would scan it
        # and stop every thread for 0.1 s.
        gc.freeze()
        gc.enable()
        config = uvicorn.Config(
            traces.requests(app),
            host=settings.host,
            port=settings.port,
            forwarded_allow_ips=settings.trusted_proxies,
            timeout_graceful_shutdown=settings.shutdown_grace_seconds,
            **SERVER_OPTIONS,
        )
        server = GracefulServer(
            config,
            on_listening=partial(_begin, settings, known, place),
            on_signal=app.state.stop,  # at once, because subscriptions would delay the shutdown
            delay_seconds=settings.shutdown_delay_seconds,
        )
        try:
            server.run(None if place is None else place.sockets)
        except KeyboardInterrupt:
            return 0
        return 0 if server.started else STARTUP_FAILURE


def _begin(settings: Settings, known: str | None, place: Place | None, server: GracefulServer) -> None:
    """Run once the process listens: print the banner, and watch the parent."""
    loop = asyncio.get_running_loop()
    if place is not None:
        place.ready()

        def stop_without_parent() -> None:
            loop.remove_reader(place.lifeline)
            server.handle_exit(signal.SIGTERM, None)

        loop.add_reader(place.lifeline, stop_without_parent)
    if place is None or place.number == 0:
        _print_banner(settings, known, *server.servers[0].sockets[0].getsockname()[:2])


def _serve_together(settings: Settings, known: str | None) -> int:
    """Serve in several processes; only the first has a worker."""
    with TemporaryDirectory(prefix="genregraph-") as siblings:

        def serve_in(place: Place) -> int:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: sys.exit(0))
            own = settings if place.number == 0 else settings.model_copy(update={"worker_concurrency": 0})
            try:
                return _serve(own, known, place, Path(siblings))
            except UserError as error:
                print_failure(error)
                return error.exit_code

        stopping = settings.shutdown_delay_seconds + settings.shutdown_grace_seconds + STOP_MARGIN_SECONDS
        try:
            together = Processes(
                settings.processes, settings.host, settings.port, serve_in, stop_seconds=stopping
            )
        except OSError as error:
            fail(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}", STARTUP_FAILURE)
        return together.run()


def _print_banner(settings: Settings, known: str | None, host: str, port: int) -> None:
    """Print a banner to standard output, or log one line if logs are JSON."""
    # An address for a browser on this machine.
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound
    page = f"http://[{here}]:{port}/" if ":" in here else f"http://{here}:{port}/"
    api = f"{page}graphql"
    if settings.effective_log_format is LogFormat.JSON:
        log.info("serving", url=api, page=page if settings.playground else None)
        return
    lines = {
        "API": api,
        "page": page if settings.playground else "off",
        "playground": f"{api}, in a browser" if settings.playground else "off",
        "client": f"{known}, with the secret {known}" if known else _clients(settings),
        "stop": "Ctrl-C",
    }
    typer.echo(f"genregraph {__version__}")
    for name, text in lines.items():
        typer.echo(f"  {name:12}{text}")


def _clients(settings: Settings) -> str:
    """Return the clients for the banner, without secrets."""
    places = []
    if settings.clients is not None:
        credentials = parse_clients(settings.clients.get_secret_value().split(","))
        ids = list(dict.fromkeys(known.client_id for known in credentials))
        more = f" and {len(ids) - MAX_CLIENTS} more" if len(ids) > MAX_CLIENTS else ""
        places.append(", ".join(ids[:MAX_CLIENTS]) + more)
    if settings.clients_file is not None:
        places.append(f"those in {settings.clients_file}")
    return "; ".join([*places, "those that `genregraph clients add NAME` added"])
