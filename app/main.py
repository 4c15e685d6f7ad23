"""Application wiring."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.routing import Route, WebSocketRoute

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
from app.database.engine import Pools, SessionFactory
from app.http.access_log import quiet_libraries, record_operation
from app.http.downloads import batch_songs_routes
from app.http.endpoint import GraphQLView
from app.http.gate import Gate
from app.http.limits import ClientQuotas
from app.http.monitoring import health_routes, metrics_route
from app.http.responses import RefusedRequestError, http_error, internal_server_error, refused
from app.http.uploads import Spool
from app.observability.collectors import DatabaseGauges
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
    tracing = tracing or Tracing()
    ensemble = load_ensemble(settings.model_dir)
    metrics = Metrics()
    metrics.describe("serve", __version__, ensemble.manifest.model_version, ensemble.genres)
    others = None if siblings is None else Siblings(siblings, metrics.registry)
    database = Database(settings.database_url.get_secret_value())
    pools = _make_pools(settings, database, metrics, tracing)
    classifier = SongClassifier(ensemble, metrics, threads=settings.threads)
    following = Following(pools.sessions)
    directory = ClientDirectory(configured_sources(settings).values(), pools.sessions)
    authenticator = Authenticator(directory, LoginLimiter(settings.login_attempts_per_minute), metrics)
    worker = None
    if settings.worker_concurrency:
        worker = Worker(settings, database, pools.work, classifier, metrics, tracing)
    stopping = asyncio.Event()

    def stop() -> None:
        stopping.set()
        following.stop()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        registered = model_registered(pools.sessions, ensemble.manifest)
        answering = nullcontext() if others is None else others.running()
        measured = metrics.health.measured()
        async with registered, answering, measured, directory.running(), _worker(worker, stopping):
            yield
            stop()
        classifier.close()
        await pools.close()

    quotas = ClientQuotas(settings)
    _register_usage_gauges(metrics, quotas, pools, settings)
    catalogue = Catalogue(pools.reads.fetch, ensemble.genres)
    batches = Batches(pools.sessions, pools.writes, metrics, settings.request_timeout_seconds)
    accuracy = AccuracyOnVerified(
        pools.reads.fetch, ensemble.manifest.model_version, ensemble.manifest.verified_until
    )
    context = _context_factory(
        settings, pools, classifier, metrics, catalogue, accuracy, batches, following, directory
    )
    view = _make_view(settings, database, context, authenticator, quotas)
    app = Starlette(
        routes=[
            Route("/graphql", view, methods=None),
            WebSocketRoute("/graphql", view),
            *batch_songs_routes(batches, catalogue),
            *health_routes(pools.sessions, ensemble.manifest.model_version, stopping.is_set),
            *_metrics_routes(settings, pools.sessions, accuracy, metrics, others),
        ],
        middleware=[
            Middleware(Gate, settings, authenticator, metrics, quotas, known_client, stopping.is_set)
        ],
        exception_handlers={
            RefusedRequestError: refused,
            HTTPException: http_error,
            Exception: internal_server_error,
        },
        lifespan=lifespan,
    )
    app.state.stop = stop
    return app


def _make_pools(settings: Settings, database: Database, metrics: Metrics, tracing: Tracing) -> Pools:
    pools = Pools(
        database,
        settings.database_pool_size,
        worker_batches=settings.worker_concurrency,
        read_timeout_seconds=settings.request_timeout_seconds,
        on_wait=metrics.record_pool_wait,
    )
    pools.reads.span = tracing.statement
    tracing.statements(pools.engines)
    return pools


def _context_factory(  # noqa: PLR0913, PLR0917 - the services that resolvers use
    settings: Settings,
    pools: Pools,
    classifier: SongClassifier,
    metrics: Metrics,
    catalogue: Catalogue,
    accuracy: AccuracyOnVerified,
    batches: Batches,
    following: Following,
    directory: ClientDirectory,
) -> Callable[[Caller], Context]:
    """Return the factory of operation contexts."""
    classification = ClassificationService(
        pools.sessions,
        pools.writes,
        classifier,
        Storage.of(settings, classifier.ensemble.genres),
        metrics,
        max_sync_rows=min(settings.max_sync_rows, settings.max_rows),
        max_rows=settings.max_rows,
    )

    def observe(connection: HTTPConnection | None, caller: Caller, operation: Operation) -> None:
        metrics.record_operation(operation)
        record_operation(connection, caller, operation)

    return partial(
        Context,
        catalogue=catalogue,
        accuracy=accuracy,
        batches=batches,
        classification=classification,
        following=following,
        explanations=StoredExplanations(pools.sessions, classifier, settings.request_timeout_seconds),
        verification=Verification(pools.writes, classifier.ensemble.genres),
        manifest=classifier.ensemble.manifest,
        is_known=directory.is_known,
        on_operation=observe,
    )


def _make_view(
    settings: Settings,
    database: Database,
    context: Callable[[Caller], Context],
    authenticator: Authenticator,
    quotas: ClientQuotas,
) -> GraphQLView:
    schema = build_schema(
        introspection=settings.introspection_allowed,
        max_cost=settings.max_query_cost,
        timeout_seconds=settings.request_timeout_seconds,
        answer_cache_bytes=settings.answer_cache_bytes if database.url.is_one_server else 0,
    )
    return GraphQLView(
        schema,
        context,
        authenticator,
        quotas=quotas,
        spool=Spool(settings.max_spool_bytes),
        allowed_origins=settings.cors_origins,
    )


def _register_usage_gauges(metrics: Metrics, quotas: ClientQuotas, pools: Pools, settings: Settings) -> None:
    metrics.gauge("uploads_under_way", "Uploads in progress.", lambda: quotas.uploads.total)
    metrics.gauge("subscriptions_open", "Open subscriptions.", lambda: quotas.subscriptions.total)
    metrics.gauge(
        "database_connections_used", "Connections in use, excluding the worker's.", lambda: pools.in_use
    )
    metrics.gauge("database_connections_max", "Connection limit.", lambda: settings.database_pool_size)


@asynccontextmanager
async def _worker(worker: Worker | None, stopping: asyncio.Event) -> AsyncIterator[None]:
    """Run the worker, if there is one, while the app serves requests."""
    if worker is None:
        yield
        return
    running = asyncio.create_task(worker.run_until(stopping))
    yield
    await running


def _metrics_routes(
    settings: Settings,
    sessions: SessionFactory,
    accuracy: AccuracyOnVerified,
    metrics: Metrics,
    siblings: Siblings | None,
) -> list[Route]:
    if settings.metrics is MetricsAccess.OFF:
        return []
    together = None if siblings is None else siblings.together
    gauges: list[DatabaseGauges[Any]] = [queue_gauges(sessions, metrics), accuracy_gauges(accuracy, metrics)]
    return [metrics_route(metrics, gauges, together)]
