"""`create_app`: the one place where everything is wired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from app.database.engine import create_engine, create_session_factory
from app.http.authentication import CLIENT_ID_HEADER, CLIENT_SECRET_HEADER, ClientAuthentication
from app.http.body_limit import BodyLimit
from app.http.clients import Clients
from app.http.graphql_view import PREFLIGHT_HEADERS, GraphQLView
from app.http.health import health_routes
from app.services.catalogue import Catalogue
from app.services.classification import ClassificationService
from app.settings import Settings
from graphql_schema.context import Context
from graphql_schema.schema import build_schema
from ml.artifact import load_ensemble


def create_app(settings: Settings) -> Starlette:
    """Make the application. It needs a migrated database from its first request on.

    Args:
        settings: `database_url` must be set; without `clients` nobody may call.

    Raises:
        ArtifactError: the model cannot be used.
        ClientsError: the list of clients cannot be read.
        ValueError: `database_url` is missing.
    """
    if settings.database_url is None:
        raise ValueError("create_app needs settings with a database_url")
    clients = Clients({}) if settings.clients is None else Clients.parse(settings.clients.get_secret_value())
    ensemble = load_ensemble(settings.model_dir)
    engine = create_engine(settings.database_url.get_secret_value())
    sessions = create_session_factory(engine)
    catalogue = Catalogue(sessions, ensemble.genres)
    classification = ClassificationService(sessions, ensemble, max_sync_rows=settings.max_sync_rows)
    schema = build_schema(introspection=settings.introspection_allowed)

    def context(client_id: str) -> Context:
        return Context(client_id, catalogue, classification, ensemble.manifest)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await classification.register_model()
        yield
        classification.close()
        await engine.dispose()

    view = GraphQLView(schema, context)
    return Starlette(
        routes=[
            Route("/graphql", view, methods=None),
            *health_routes(engine, ensemble.manifest.model_version),
        ],
        middleware=[
            *_cors(settings),
            Middleware(ClientAuthentication, clients=clients),
            Middleware(BodyLimit, max_bytes=settings.max_upload_bytes),
        ],
        lifespan=lifespan,
    )


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
