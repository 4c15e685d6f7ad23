"""`create_app`: the one place where everything is wired."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route, WebSocketRoute

from app import __version__
from app.database.engine import SessionFactory, create_engine, create_session_factory
from app.http.authentication import (
    CLIENT_ID_HEADER,
    CLIENT_SECRET_HEADER,
    Authenticator,
    ClientAuthentication,
)
from app.http.batch_songs import batch_songs_route
from app.http.body_limit import BodyLimit
from app.http.client_limits import ClientLimits
from app.http.client_quota import ClientQuota, WebSocketQuotas
from app.http.graphql_view import PREFLIGHT_HEADERS, GraphQLView
from app.http.health import health_routes
from app.http.login_limiter import LoginLimiter
from app.http.pages import PageFiles, Pages
from app.http.security_headers import SecurityHeaders, internal_server_error
from app.http.server_log import leave_queries_out
from app.http.slow_body import SlowBody
from app.resources import resource
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
from app.settings import Environment, Settings
from app.worker.worker import Worker, run_until_stopped
from graphql_schema.context import Context
from graphql_schema.schema import build_schema
from ml.artifact import load_ensemble


def create_app(settings: Settings, *, known_client: str | None = None) -> Starlette:
    """Make the application. It needs a migrated database from its first request on.

    `app.state.stop()` tells it that the server is about to stop: followers of batches are let go, and the
    worker hands its batches over.

    Args:
        settings: `database_url` must be set.
        known_client: a client whose secret is its id and no secret, which the pages may fill in.

    Raises:
        ArtifactError: the model cannot be used.
        ClientsError: the list of clients cannot be read.
        ValueError: `database_url` is missing.
    """
    if settings.database_url is None:
        raise ValueError("create_app needs settings with a database_url")
    leave_queries_out()
    ensemble = load_ensemble(settings.model_dir)
    engine = create_engine(settings.database_url.get_secret_value())
    sessions = create_session_factory(engine)
    catalogue = Catalogue(sessions, ensemble.genres, read_timeout_seconds=settings.request_timeout_seconds)
    classifier = SongClassifier(ensemble)
    background = BackgroundBatches(sessions, classifier, max_rows=settings.max_rows)
    classification = ClassificationService(
        sessions, classifier, background, max_sync_rows=min(settings.max_sync_rows, settings.max_rows)
    )
    directory = ClientDirectory(_credential_sources(settings, sessions), sessions)
    authenticator = Authenticator(directory, LoginLimiter(settings.login_attempts_per_minute))
    schema = build_schema(
        introspection=settings.introspection_allowed,
        max_cost=settings.max_query_cost,
        timeout_seconds=settings.request_timeout_seconds,
    )

    def context(caller: Caller) -> Context:
        return Context(caller, catalogue, classification, background, ensemble.manifest, directory.is_known)

    stopping = asyncio.Event()

    def stop() -> None:
        stopping.set()
        background.stop()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await register_model(sessions, ensemble)
        async with directory.running(), _worker(settings, sessions, classifier, stopping):
            yield
            stop()
        classifier.close()
        await engine.dispose()

    uploads = ClientQuota(settings.max_uploads_per_client)
    subscriptions = ClientQuota(settings.max_subscriptions_per_client)
    view = GraphQLView(
        schema,
        context,
        authenticator,
        quotas=WebSocketQuotas(subscriptions, ClientQuota(settings.max_subscriptions_per_client)),
        allowed_origins=settings.cors_origins,
    )
    app = Starlette(
        routes=[
            Route("/graphql", view, methods=None),
            WebSocketRoute("/graphql", view),
            batch_songs_route(catalogue),
            *health_routes(engine, ensemble.manifest.model_version),
        ],
        middleware=[
            Middleware(SecurityHeaders, https=settings.environment is Environment.PRODUCTION),
            *_cors(settings),
            *_pages(settings, known_client),
            Middleware(ClientAuthentication, authenticator=authenticator),
            Middleware(ClientLimits, uploads=uploads, subscriptions=subscriptions),
            Middleware(BodyLimit, max_bytes=settings.max_upload_bytes),
            Middleware(
                SlowBody,
                bytes_per_second=settings.upload_min_bytes_per_second,
                seconds=settings.request_timeout_seconds,
            ),
        ],
        exception_handlers={Exception: internal_server_error},
        lifespan=lifespan,
    )
    app.state.stop = stop
    return app


@asynccontextmanager
async def _worker(
    settings: Settings, sessions: SessionFactory, classifier: SongClassifier, stopping: asyncio.Event
) -> AsyncIterator[None]:
    """Work on background batches beside the requests, if the settings say so."""
    if not settings.worker_concurrency:
        yield
        return
    running = asyncio.create_task(run_until_stopped(make_worker(settings, sessions, classifier), stopping))
    yield
    await running


def make_worker(settings: Settings, sessions: SessionFactory, classifier: SongClassifier) -> Worker:
    """Make a worker on background batches.

    Args:
        settings: `database_url` must be set.
        sessions: of that database.
        classifier: what decides.
    """
    assert settings.database_url is not None
    processing = BatchProcessing(sessions, classifier, retention=timedelta(hours=settings.retention_hours))
    return Worker(
        settings.database_url.get_secret_value(), processing, concurrency=settings.worker_concurrency
    )


def _credential_sources(settings: Settings, sessions: SessionFactory) -> list[CredentialSource]:
    sources: list[CredentialSource] = [StoredClients(sessions)]
    if settings.clients is not None:
        sources.append(SettingsClients(settings.clients.get_secret_value()))
    if settings.clients_file is not None:
        sources.append(FileClients(settings.clients_file))
    return sources


def _cors(settings: Settings) -> list[Middleware]:
    if not settings.cors_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=[CLIENT_ID_HEADER, CLIENT_SECRET_HEADER, "content-type", *PREFLIGHT_HEADERS],
        )
    ]


def _pages(settings: Settings, known_client: str | None) -> list[Middleware]:
    if not settings.playground:
        return []
    configuration = {
        "version": __version__,
        "knownClient": known_client,
        "introspection": settings.introspection_allowed,
        "maxUploadBytes": settings.max_upload_bytes,
    }
    sample = resource("data") / "sample" / "songs.csv"
    return [Middleware(Pages, files=PageFiles.find(), configuration=configuration, sample=sample)]
