"""`genregraph serve`, `worker` and `demo`."""

from __future__ import annotations

import gc
import logging
import signal
import socket
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from app.cli.options import LOCAL_CLIENT, Service, songs_option
from app.cli.output import FAILED, fail, print_line, print_table, program

if TYPE_CHECKING:
    from app.observability.metrics import Metrics
    from app.observability.tracing import Tracing
    from app.settings import Settings
    from ml.model.ensemble import Ensemble

TIDYING_AND_METRICS: Final = 2
"""Connections reserved for tidying and metrics, so that a busy worker does not look like a lost database."""


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


def worker(
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=64, help="Batches to process at once.")
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65_535, help="Port on GENREGRAPH_HOST for /metrics and /livez, without authentication."
        ),
    ] = None,
) -> None:
    """Process background batches, in addition to the workers inside `serve`, on any machine.

    Examples:
      genregraph worker
      genregraph worker --concurrency 4 --metrics-port 9100
    """
    import asyncio

    from app import __version__
    from app.cli.startup import migrate_or_fail, model_or_fail, settings_or_fail
    from app.observability.logs import configure_logs
    from app.observability.metrics import Metrics
    from app.observability.tracing import tracing

    settings = settings_or_fail(worker_concurrency=concurrency)
    configure_logs(settings.effective_log_format)
    if settings.database_url is None:
        fail(
            "a worker needs GENREGRAPH_DATABASE_URL; with the embedded database, `genregraph serve` runs one"
        )
    migrate_or_fail(settings.database_url.get_secret_value())
    ensemble = model_or_fail(settings)
    metrics = Metrics()
    metrics.describe("worker", __version__, ensemble.manifest.model_version, ensemble.genres)
    listener = None if metrics_port is None else _listener(settings.host, metrics_port)
    with tracing() as traces:
        asyncio.run(_work(settings, ensemble, metrics, traces, listener))


def _listener(host: str, port: int) -> socket.socket:
    import structlog

    try:
        listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
    except OSError as error:
        fail(f"cannot listen on {host}:{port}: {error.strerror}")
    structlog.get_logger(__name__).info("metrics", url=f"http://{host}:{listener.getsockname()[1]}/metrics")
    return listener


async def _work(
    settings: Settings,
    ensemble: Ensemble,
    metrics: Metrics,
    traces: Tracing,
    listener: socket.socket | None,
) -> None:
    import asyncio

    from app.batches.classifier import SongClassifier
    from app.batches.queue import queue_gauges
    from app.batches.worker import Worker
    from app.catalogue.service import model_registered
    from app.database.connect import Database
    from app.database.engine import WORKER_CONNECTIONS, create_engine, create_session_factory
    from app.http.monitoring import worker_monitoring

    assert settings.database_url is not None
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    database = Database(settings.database_url.get_secret_value())
    engine = create_engine(
        database,
        size=WORKER_CONNECTIONS * settings.worker_concurrency + TIDYING_AND_METRICS,
        on_wait=partial(metrics.record_pool_wait, "work"),
    )
    traces.statements([engine])
    sessions = create_session_factory(engine)
    classifier = SongClassifier(ensemble, metrics, threads=settings.threads)
    waiting = queue_gauges(sessions, metrics)
    monitored = nullcontext() if listener is None else worker_monitoring(listener, metrics, waiting)
    async with model_registered(sessions, ensemble.manifest), metrics.loop_measured(), monitored:
        await Worker(settings, database, sessions, classifier, metrics, traces).run_until(stopped)
    classifier.close()
    await engine.dispose()


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
                _classify_and_query(client, path)
    print_line(
        f"Next: start the service with `{program()} serve` and open its page. Try the sample songs there, "
        "correct ten under Review, and the model can learn from them."
    )


def _classify_and_query(client: Service, path: Path) -> None:
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
