"""`create_app`: the one place where everything is wired."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Route, WebSocketRoute

from app import __version__
from app.database.engine import (
    MOST_CONNECTIONS,
    SessionFactory,
    connections_in_use,
    create_engine,
    create_session_factory,
)
from app.http.access_log import note_operation
from app.http.authentication import Authenticator
from app.http.batch_songs import batch_songs_route
from app.http.client_quota import ClientQuota, ClientQuotas
from app.http.graphql_view import GraphQLView
from app.http.health import health_routes
from app.http.login_limiter import LoginLimiter
from app.http.metrics_route import metrics_route
from app.http.middleware import middleware
from app.http.security_headers import internal_server_error
from app.http.server_log import leave_queries_out
from app.metrics.metrics import Metrics
from app.metrics.operation import Operation
from app.services.background_batches import BackgroundBatches
from app.services.batch_processing import BatchProcessing
from app.services.catalogue import Catalogue
from app.services.classification import ClassificationService
from app.services.client_directory import (
    ClientDirectory,
    CredentialSource,
    FileClients,
    SettingsClients,
    StoredClients,
)
from app.services.model_registry import register_model
from app.services.roles import Caller
from app.services.song_classifier import SongClassifier
from app.services.work_waiting import WorkWaiting
from app.settings import MetricsAccess, Settings
from app.telemetry.tracing import NoTracing, Tracing
from app.worker.worker import Worker, run_until_stopped
from graphql_schema.context import Context
from graphql_schema.schema import build_schema
from ml.artifact import load_ensemble


def create_app(
    settings: Settings, *, known_client: str | None = None, tracing: Tracing | None = None
) -> Starlette:
    """Make the application. It needs a migrated database from its first request on.

    `app.state.stop()` tells it that the server is about to stop: followers of batches are let go, and the
    worker hands its batches over.

    Args:
        settings: `database_url` must be set.
        known_client: a client whose secret is its id and no secret, which the pages may fill in.
        tracing: traces the worker and statements; requests are for who serves them to trace.

    Raises:
        ArtifactError: the model cannot be used.
        ClientsError: the list of clients cannot be read.
        ValueError: `database_url` is missing.
    """
    if settings.database_url is None:
        raise ValueError("create_app needs settings with a database_url")
    leave_queries_out()
    ensemble = load_ensemble(settings.model_dir)
    metrics = Metrics()
    metrics.describe(__version__, ensemble.manifest.model_version, ensemble.genres)
    engine = create_engine(settings.database_url.get_secret_value())
    tracing = tracing or NoTracing()
    tracing.statements(engine)
    sessions = create_session_factory(engine)
    catalogue = Catalogue(sessions, ensemble.genres, read_timeout_seconds=settings.request_timeout_seconds)
    classifier = SongClassifier(ensemble, metrics)
    background = BackgroundBatches(sessions, classifier, metrics, max_rows=settings.max_rows)
    classification = ClassificationService(
        sessions,
        classifier,
        background,
        metrics,
        max_sync_rows=min(settings.max_sync_rows, settings.max_rows),
    )
    directory = ClientDirectory(_credential_sources(settings, sessions), sessions)
    authenticator = Authenticator(directory, LoginLimiter(settings.login_attempts_per_minute))
    schema = build_schema(
        introspection=settings.introspection_allowed,
        max_cost=settings.max_query_cost,
        timeout_seconds=settings.request_timeout_seconds,
    )

    def observe(connection: HTTPConnection | None, caller: Caller, operation: Operation) -> None:
        metrics.note_operation(operation)
        note_operation(connection, caller, operation)

    def context(caller: Caller) -> Context:
        return Context(
            caller, catalogue, classification, background, ensemble.manifest, directory.is_known, observe
        )

    worker = None
    if settings.worker_concurrency:
        worker = make_worker(settings, sessions, classifier, metrics, tracing)
    stopping = asyncio.Event()

    def stop() -> None:
        stopping.set()
        background.stop()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await register_model(sessions, ensemble)
        async with directory.running(), _worker(worker, stopping):
            yield
            stop()
        classifier.close()
        await engine.dispose()

    quotas = ClientQuotas(
        uploads=ClientQuota(settings.max_uploads_per_client),
        subscriptions=ClientQuota(settings.max_subscriptions_per_client),
        websockets=ClientQuota(settings.max_subscriptions_per_client),
    )
    view = GraphQLView(
        schema,
        context,
        authenticator,
        quotas=quotas,
        allowed_origins=settings.cors_origins,
    )
    app = Starlette(
        routes=[
            Route("/graphql", view, methods=None),
            WebSocketRoute("/graphql", view),
            batch_songs_route(catalogue),
            *health_routes(sessions, ensemble.manifest.model_version, stopping.is_set),
            *_metrics_routes(settings, sessions, metrics),
        ],
        middleware=middleware(settings, authenticator, metrics, quotas, known_client=known_client),
        exception_handlers={Exception: internal_server_error},
        lifespan=lifespan,
    )
    metrics.gauge("uploads_under_way", "Uploads read or classified now.", lambda: quotas.uploads.total)
    metrics.gauge("subscriptions_open", "Subscriptions followed now.", lambda: quotas.subscriptions.total)
    metrics.gauge("database_connections_used", "Connections in use.", lambda: connections_in_use(engine))
    metrics.gauge("database_connections_most", "The most that may be.", lambda: MOST_CONNECTIONS)
    app.state.stop = stop
    return app


@asynccontextmanager
async def _worker(worker: Worker | None, stopping: asyncio.Event) -> AsyncIterator[None]:
    """Work on background batches beside the requests, if there is a worker."""
    if worker is None:
        yield
        return
    running = asyncio.create_task(run_until_stopped(worker, stopping))
    yield
    await running


def make_worker(
    settings: Settings,
    sessions: SessionFactory,
    classifier: SongClassifier,
    metrics: Metrics,
    tracing: Tracing,
) -> Worker:
    """Make a worker on background batches.

    Args:
        settings: `database_url` must be set.
        sessions: of that database.
        classifier: what decides.
        metrics: where batches are counted.
        tracing: traces the work on each.
    """
    assert settings.database_url is not None
    processing = BatchProcessing(
        sessions, classifier, metrics, retention=timedelta(hours=settings.retention_hours)
    )
    return Worker(
        settings.database_url.get_secret_value(),
        processing,
        concurrency=settings.worker_concurrency,
        traced=tracing.jobs,
    )


def _metrics_routes(settings: Settings, sessions: SessionFactory, metrics: Metrics) -> list[Route]:
    if settings.metrics is MetricsAccess.OFF:
        return []
    return [metrics_route(metrics, WorkWaiting(sessions, metrics).refresh)]


def _credential_sources(settings: Settings, sessions: SessionFactory) -> list[CredentialSource]:
    sources: list[CredentialSource] = [StoredClients(sessions)]
    if settings.clients is not None:
        sources.append(SettingsClients(settings.clients.get_secret_value()))
    if settings.clients_file is not None:
        sources.append(FileClients(settings.clients_file))
    return sources
