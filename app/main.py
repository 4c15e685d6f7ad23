"""Application wiring."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.routing import Route, WebSocketRoute
from strawberry import Schema

from app import __version__
from app.batches.classifier import SongClassifier
from app.batches.following import Following
from app.batches.pipeline import Storage
from app.batches.queue import queue_gauges
from app.batches.receive import ClassificationService
from app.batches.service import Batches
from app.batches.stored_songs import StoredExplanations
from app.batches.worker import Worker
from app.catalogue.service import Catalogue, model_registered
from app.catalogue.verification import AccuracyOnVerified, Verification, accuracy_gauges
from app.clients.authentication import Authenticator, LoginLimiter
from app.clients.directory import ClientDirectory, configured_sources
from app.clients.roles import Caller
from app.database.connect import Database
from app.database.engine import Pools
from app.http.access_log import quiet_libraries, record_operation
from app.http.downloads import batch_songs_routes
from app.http.endpoint import GraphQLView
from app.http.gate import Gate
from app.http.limits import ClientQuotas
from app.http.monitoring import health_routes, metrics_route
from app.http.responses import EXCEPTION_HANDLERS
from app.http.uploads import Spool
from app.observability.metrics import Metrics, Operation
from app.observability.siblings import Siblings
from app.observability.tracing import Tracing
from app.settings import MetricsAccess, Settings
from graphql_schema.context import Context
from graphql_schema.schema import build_schema
from ml.model.artifact import load_ensemble


def create_app(
    settings: Settings,
    *,
    known_client: str | None = None,
    tracing: Tracing | None = None,
    siblings: Path | None = None,
) -> Starlette:
    """Create the application; the database must be migrated before the first request.

    `app.state.stop()` starts the shutdown: subscriptions end, and the worker hands over its batches.

    Args:
        settings: `database_url` must be set.
        known_client: a demo client whose secret equals its id; the pages fill it in.
        tracing: traces the worker and SQL statements; the server traces requests.
        siblings: a folder shared by all processes on one port, used to merge their `/metrics`.

    Raises:
        ArtifactError: the model cannot be loaded.
        ClientsError: the list of clients cannot be read.
        ValueError: `database_url` is missing.
    """
    if settings.database_url is None:
        raise ValueError("create_app needs settings with a database_url")
    quiet_libraries()
    database = Database(settings.database_url.get_secret_value())
    parts = _Parts(settings, database, tracing or Tracing(), siblings)
    limiter = LoginLimiter(settings.login_attempts_per_minute)
    authenticator = Authenticator(parts.directory, limiter, parts.metrics)
    view = GraphQLView(
        parts.schema(),
        parts.context(),
        authenticator,
        quotas=parts.quotas,
        spool=Spool(settings.max_spool_bytes),
        allowed_origins=settings.cors_origins,
    )
    is_stopping = parts.stopping.is_set
    app = Starlette(
        routes=[
            Route("/graphql", view, methods=None),
            WebSocketRoute("/graphql", view),
            *batch_songs_routes(parts.batches, parts.catalogue),
            *health_routes(parts.pools.sessions, parts.ensemble.manifest.model_version, is_stopping),
            *parts.metrics_routes(),
        ],
        middleware=[
            Middleware(Gate, settings, authenticator, parts.metrics, parts.quotas, known_client, is_stopping)
        ],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=parts.running,
    )
    app.state.stop = parts.stop
    return app


class _Parts:
    """The services of an application, which routes and resolvers share."""

    def __init__(
        self, settings: Settings, database: Database, tracing: Tracing, siblings: Path | None
    ) -> None:
        self.settings = settings
        self.database = database
        self.ensemble = load_ensemble(settings.model_dir)
        manifest = self.ensemble.manifest
        self.metrics = Metrics()
        self.metrics.describe("serve", __version__, manifest.model_version, self.ensemble.genres)
        self.siblings = None if siblings is None else Siblings(siblings, self.metrics.registry)
        self.pools = Pools(
            database,
            settings.database_pool_size,
            worker_batches=settings.worker_concurrency,
            read_timeout_seconds=settings.request_timeout_seconds,
            on_wait=self.metrics.record_pool_wait,
        )
        self.pools.reads.span = tracing.statement
        tracing.statements(self.pools.engines)
        sessions, fetch = self.pools.sessions, self.pools.reads.fetch
        self.classifier = SongClassifier(self.ensemble, self.metrics, threads=settings.threads)
        self.worker = None
        if settings.worker_concurrency:
            self.worker = Worker(settings, database, self.pools.work, self.classifier, self.metrics, tracing)
        self.stopping = asyncio.Event()
        self.following = Following(sessions)
        self.directory = ClientDirectory(configured_sources(settings).values(), sessions)
        self.quotas = ClientQuotas(settings)
        self.catalogue = Catalogue(fetch, self.ensemble.genres)
        self.accuracy = AccuracyOnVerified(fetch, manifest.model_version, manifest.verified_until)
        self.batches = Batches(sessions, self.pools.writes, self.metrics, settings.request_timeout_seconds)

    def schema(self) -> Schema:
        """Return the schema with the limits of the settings."""
        settings = self.settings
        return build_schema(
            introspection=settings.introspection_allowed,
            max_cost=settings.max_query_cost,
            timeout_seconds=settings.request_timeout_seconds,
            answer_cache_bytes=settings.answer_cache_bytes if self.database.url.is_one_server else 0,
        )

    def context(self) -> Callable[[Caller], Context]:
        """Return the factory of operation contexts."""
        settings, pools, genres = self.settings, self.pools, self.ensemble.genres
        timeout_seconds = settings.request_timeout_seconds
        classification = ClassificationService(
            pools.sessions,
            pools.writes,
            self.classifier,
            Storage.of(settings, genres),
            self.metrics,
            max_sync_rows=min(settings.max_sync_rows, settings.max_rows),
            max_rows=settings.max_rows,
        )

        def observe(connection: HTTPConnection | None, caller: Caller, operation: Operation) -> None:
            self.metrics.record_operation(operation)
            record_operation(connection, caller, operation)

        return partial(
            Context,
            catalogue=self.catalogue,
            accuracy=self.accuracy,
            batches=self.batches,
            classification=classification,
            following=self.following,
            explanations=StoredExplanations(pools.sessions, self.classifier, timeout_seconds),
            verification=Verification(pools.writes, genres),
            manifest=self.ensemble.manifest,
            is_known=self.directory.is_known,
            on_operation=observe,
        )

    def metrics_routes(self) -> list[Route]:
        """Return the route of the metrics, unless it is off, and register those of usage."""
        gauge, quotas, pools = self.metrics.gauge, self.quotas, self.pools
        gauge("uploads_under_way", "Uploads in progress.", lambda: quotas.uploads.total)
        gauge("subscriptions_open", "Open subscriptions.", lambda: quotas.subscriptions.total)
        used = "Connections in use, excluding the worker's."
        gauge("database_connections_used", used, lambda: pools.in_use)
        gauge("database_connections_max", "Connection limit.", lambda: self.settings.database_pool_size)
        if self.settings.metrics is MetricsAccess.OFF:
            return []
        refreshers = [
            queue_gauges(pools.sessions, self.metrics),
            accuracy_gauges(self.accuracy, self.metrics),
        ]
        return [metrics_route(self.metrics, refreshers, self.siblings)]

    def stop(self) -> None:
        """Start the shutdown."""
        self.stopping.set()
        self.following.stop()

    @asynccontextmanager
    async def running(self, _: Starlette) -> AsyncIterator[None]:
        """Run the background tasks in this context, and close everything at its end."""
        registered = model_registered(self.pools.sessions, self.ensemble.manifest)
        answering = nullcontext() if self.siblings is None else self.siblings.running()
        measured = self.metrics.loop_measured()
        async with registered, answering, measured, self.directory.running(), self._working():
            yield
            self.stop()
        self.classifier.close()
        await self.pools.close()

    @asynccontextmanager
    async def _working(self) -> AsyncIterator[None]:
        """Run the worker, if there is one, while the app serves requests."""
        if self.worker is None:
            yield
            return
        working = asyncio.create_task(self.worker.run_until(self.stopping))
        yield
        await working
