"""`genregraph worker`."""

from __future__ import annotations

import asyncio
import signal
from typing import Annotated

import typer

from app.cli.failure import fail
from app.cli.startup import migrate_or_fail, settings_or_fail
from app.database.engine import create_engine, create_session_factory
from app.logs import configure_logs
from app.main import make_worker
from app.services.model_registry import register_model
from app.services.song_classifier import SongClassifier
from app.settings import Settings
from app.worker.worker import run_until_stopped
from ml.artifact import ArtifactError, load_ensemble
from ml.ensemble import Ensemble


def worker(
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=64, help="Batches to work on at once.")
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
    asyncio.run(_work(settings, ensemble))


async def _work(settings: Settings, ensemble: Ensemble) -> None:
    assert settings.database_url is not None
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    engine = create_engine(settings.database_url.get_secret_value())
    sessions = create_session_factory(engine)
    classifier = SongClassifier(ensemble)
    await register_model(sessions, ensemble)
    await run_until_stopped(make_worker(settings, sessions, classifier), stopped)
    classifier.close()
    await engine.dispose()
