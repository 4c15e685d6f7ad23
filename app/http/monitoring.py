"""Routes for operators: liveness (`/livez`), readiness (`/healthcheck`) and Prometheus (`/metrics`)."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

import structlog
import uvicorn
from prometheus_client import make_asgi_app
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from app import __version__
from app.batches.queue import QueueRepository
from app.database.engine import SessionFactory
from app.database.errors import DATABASE_ERRORS, reason
from app.database.migrate import is_behind, known_revisions
from app.http.servers import SERVER_OPTIONS
from app.observability.collectors import Refresh
from app.observability.metrics import Metrics
from app.observability.siblings import Siblings

LIVENESS_PATH: Final = "/livez"
HEALTH_CHECK_PATH: Final = "/healthcheck"
METRICS_PATH: Final = "/metrics"

DATABASE_TIMEOUT_SECONDS = 2.0

KEPT_SECONDS = 1.0
"""How long the database's state is cached."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Database:
    """The state of the database.

    Attributes:
        state: `ok`, `read-only` (queries work), or the problem.
        migrations: `current`, `behind`, or `ahead` (migrated by a newer release; harmless).
        worker: `running` if any worker is connected, in any process.
    """

    state: str
    migrations: str = "unknown"
    worker: str = "unknown"


async def livez(_: Request) -> JSONResponse:
    """Report that the process responds."""
    return JSONResponse({"status": "alive"})


def health_routes(
    sessions: SessionFactory, model_version: str, is_stopping: Callable[[], bool]
) -> list[Route]:
    """Return both routes, which are open; the health check shows details to clients."""
    cached = _CachedDatabaseState(sessions)

    async def healthcheck(request: Request) -> JSONResponse:
        database = await cached.state()
        readable = database.state in {"ok", "read-only"}
        ready = readable and database.migrations != "behind" and not is_stopping()
        working = "ok" if database.state == "ok" else "degraded"
        status = working if ready else "stopping" if is_stopping() else "unavailable"
        body = {"status": status}
        if "caller" in request.scope.get("state", {}):
            body |= {
                "name": "genregraph",
                "version": __version__,
                "modelVersion": model_version,
                "database": database.state,
                "migrations": database.migrations,
                "worker": database.worker,
            }
        return JSONResponse(body, status_code=200 if ready else 503)

    return [Route(LIVENESS_PATH, livez), Route(HEALTH_CHECK_PATH, healthcheck)]


class _CachedDatabaseState:
    """Checks the database at most once a second, and waits at most two seconds."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions
        self._check: asyncio.Task[_Database] | None = None
        self._checked_at = 0.0

    async def state(self) -> _Database:
        check = self._check
        if check is None or (check.done() and time.monotonic() - self._checked_at > KEPT_SECONDS):
            check = self._check = asyncio.create_task(_check_database(self._sessions))
            self._checked_at = time.monotonic()
        done, _ = await asyncio.wait({check}, timeout=DATABASE_TIMEOUT_SECONDS)
        return check.result() if done else _Database("timed out")


async def _check_database(sessions: SessionFactory) -> _Database:
    try:
        async with asyncio.timeout(DATABASE_TIMEOUT_SECONDS), sessions() as session:
            await session.execute(text("SELECT 1 FROM songs LIMIT 1"))
            revision = await session.scalar(text("SELECT version_num FROM alembic_version"))
            read_only = await session.scalar(text("SELECT current_setting('transaction_read_only')"))
            workers = await QueueRepository(session).workers()
    except TimeoutError:
        return _Database("timed out")
    except DATABASE_ERRORS as error:
        log.warning("the database cannot be reached", error=reason(error))
        return _Database("unreachable")
    state = "read-only" if read_only == "on" else "ok"
    return _Database(state, _migrations(revision), "running" if workers else "none")


def _migrations(revision: str | None) -> str:
    if is_behind(revision):
        return "behind"
    return "current" if revision == known_revisions()[0] else "ahead"


def metrics_route(metrics: Metrics, refreshers: Sequence[Refresh], siblings: Siblings | None = None) -> Route:
    """Return the route, which also works without the database.

    Args:
        metrics: the process's metrics.
        refreshers: update those of its metrics that come from the database.
        siblings: all processes on this port, if there are several; their metrics are merged.
    """

    async def show(_: Request) -> ASGIApp:
        await asyncio.gather(*(refresh() for refresh in refreshers))
        registry = metrics.registry if siblings is None else await siblings.merged()
        # prometheus_client's own application supports both formats, and compression.
        application: ASGIApp = make_asgi_app(registry)
        return application

    return Route(METRICS_PATH, show, methods=["GET"])


class _EmbeddedServer(uvicorn.Server):
    """A server that leaves signals to the worker."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def worker_monitoring(
    listener: socket.socket, metrics: Metrics, refresh: Refresh
) -> AsyncIterator[None]:
    """Serve a worker's liveness and metrics in this context, and then close the listener.

    It runs in the worker's event loop: if that is stuck, the liveness probe fails.
    """
    app = Starlette(routes=[Route(LIVENESS_PATH, livez), metrics_route(metrics, [refresh])])
    config = uvicorn.Config(app, lifespan="off", timeout_graceful_shutdown=1, **SERVER_OPTIONS)
    server = _EmbeddedServer(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving
        listener.close()
