"""The gate: the middleware in front of the routes."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from app import __version__
from app.clients.authentication import Authenticator
from app.clients.credentials import CLIENT_ID_HEADER, CLIENT_SECRET_HEADER
from app.http.access_log import AccessLog
from app.http.authentication import HEALTH_PATHS, ClientAuthentication
from app.http.compression import compression
from app.http.endpoint import PREFLIGHT_HEADERS
from app.http.headers import SecurityHeaders, request_id
from app.http.limits import ClientQuotas, RequestLimits
from app.http.monitoring import METRICS_PATH
from app.http.pages import PageFiles, Pages
from app.observability.metrics import Metrics
from app.resources import resource
from app.settings import Environment, MetricsAccess, Settings


def gate(
    settings: Settings,
    authenticator: Authenticator,
    metrics: Metrics,
    quotas: ClientQuotas,
    *,
    known_client: str | None,
) -> list[Middleware]:
    """Return the middleware, outermost first.

    Args:
        settings: the service's settings.
        authenticator: authenticates callers.
        metrics: counts responses.
        quotas: limits of concurrent work per client.
        known_client: a client that the pages fill in.
    """
    open_paths = HEALTH_PATHS | ({METRICS_PATH} if settings.metrics is MetricsAccess.OPEN else set())
    return [
        request_id(),
        Middleware(AccessLog, metrics=metrics),
        Middleware(SecurityHeaders, https=settings.environment is Environment.PRODUCTION),
        *_cors(settings),
        *_pages(settings, known_client),
        compression(),
        Middleware(
            ClientAuthentication,
            authenticator=authenticator,
            open_paths=open_paths,
            basic_paths={METRICS_PATH},
        ),
        Middleware(
            RequestLimits,
            quotas=quotas,
            max_bytes=settings.max_upload_bytes,
            bytes_per_second=settings.upload_min_bytes_per_second,
            seconds=settings.request_timeout_seconds,
        ),
    ]


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
