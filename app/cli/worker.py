"""`genregraph worker`."""

from __future__ import annotations

import asyncio
import signal
from typing import Annotated

import structlog
import typer
from prometheus_client import start_http_server

from app import __version__
from app.cli.failure import fail
from app.cli.startup import migrate_or_fail, settings_or_fail
from app.database.engine import create_engine, create_session_factory
from app.logs import configure_logs
from app.main import make_worker
from app.metrics.metrics import Metrics
from app.services.model_registry import register_model
from app.services.song_classifier import SongClassifier
from app.settings import Settings
from app.telemetry.tracing import Tracing, tracing
from app.worker.worker import run_until_stopped
from ml.artifact import ArtifactError, load_ensemble
from ml.ensemble import Ensemble

log = structlog.get_logger(__name__)


def worker(
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=64, help="Batches to work on at once.")
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Port, on GENREGRAPH_HOST, for /metrics, open to all."),
    ] = None,
) -> None:
    """Work on background batches, beside the workers inside `serve`, on this machine or any other."""
    settings = settings_or_fail(worker_concurrency=concurrency)
    configure_logs(settings.effective_log_format)
    if settings.database_url is None:
        fail(
            "a worker needs GENREGRAPH_DATABASE_URL; the embedded database has one already, inside "
            "`genregraph serve`"
        )
    migrate_or_fail(settings.database_url.get_secret_value())
    try:
        ensemble = load_ensemble(settings.model_dir)
    except ArtifactError as error:
        fail(f"the model in {settings.model_dir} cannot be used: {error}")
    metrics = Metrics()
    metrics.describe(__version__, ensemble.manifest.model_version, ensemble.genres)
    if metrics_port is not None:
        _show_metrics(metrics, settings.host, metrics_port)
    with tracing() as traces:
        asyncio.run(_work(settings, ensemble, metrics, traces))


def _show_metrics(metrics: Metrics, host: str, port: int) -> None:
    try:
        server, _ = start_http_server(port, host, metrics.registry)
    except OSError as error:
        fail(f"cannot listen on {host}:{port}: {error.strerror}")
    log.info("metrics", url=f"http://{host}:{server.server_port}/metrics")


async def _work(settings: Settings, ensemble: Ensemble, metrics: Metrics, traces: Tracing) -> None:
    assert settings.database_url is not None
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    engine = create_engine(settings.database_url.get_secret_value())
    traces.statements(engine)
    sessions = create_session_factory(engine)
    classifier = SongClassifier(ensemble, metrics)
    await register_model(sessions, ensemble)
    await run_until_stopped(make_worker(settings, sessions, classifier, metrics, traces), stopped)
    classifier.close()
    await engine.dispose()
