"""The gate in front of the routes: it logs, adds headers, authenticates and limits every request."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Callable
from typing import Final

import structlog
from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette_compress import CompressMiddleware, add_compress_type, remove_compress_type

from app.clients.authentication import Authenticator, NotAuthenticatedError, TooManyAttemptsError
from app.clients.credentials import CLIENT_ID_HEADER, CLIENT_SECRET_HEADER
from app.clients.roles import Caller
from app.errors import Code
from app.http.access_log import log_end
from app.http.limits import ClientQuotas, RequestLimits
from app.http.monitoring import HEALTH_CHECK_PATH, LIVENESS_PATH, METRICS_PATH
from app.http.pages import Pages
from app.http.requests import PREFLIGHT_HEADERS
from app.http.responses import GRAPHQL_RESPONSE, REQUEST_ID_HEADER, RefusedRequestError, with_security_headers
from app.observability.metrics import Metrics
from app.settings import Environment, MetricsAccess, Settings

MIN_COMPRESSED_BYTES: Final = 1024
"""Minimum size: smaller responses fit into one packet anyway."""

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""Request ids accepted from clients."""

_CLOSE: Final = (b"connection", b"close")


class Gate:
    """ASGI middleware around the application.

    From the outside in: a request id, the log line and the security headers of every response; CORS; the
    pages, which are public; compression; the credentials and limits of clients, before a body is read.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - its dependencies
        self,
        app: ASGIApp,
        settings: Settings,
        authenticator: Authenticator,
        metrics: Metrics,
        quotas: ClientQuotas,
        known_client: str | None,
        is_stopping: Callable[[], bool],
    ) -> None:
        """Initialize the gate; the pages fill in `known_client`.

        Once `is_stopping`, each connection is closed with its next response. Otherwise a client or proxy
        could send a request just as the server closes the connection, and not know whether it was processed.
        """
        self._is_stopping = is_stopping
        self._authenticator = authenticator
        self._metrics = metrics
        self._limits = RequestLimits(app, settings, quotas)
        self._app = app
        self._open_paths = {LIVENESS_PATH, HEALTH_CHECK_PATH}
        if settings.metrics is MetricsAccess.OPEN:
            self._open_paths.add(METRICS_PATH)
        self._https_only = settings.environment is Environment.PRODUCTION
        admitted = _compressed(self._admit)
        public = Pages(admitted, settings, known_client) if settings.playground else admitted
        self._inner = _with_cors(public, settings)
        self._outer = CorrelationIdMiddleware(
            self._log,
            header_name=REQUEST_ID_HEADER,
            update_request_header=False,
            validator=lambda sent: _REQUEST_ID.fullmatch(sent) is not None,
            transformer=None,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request or WebSocket; pass on the application's lifespan."""
        outer: ASGIApp = self._app if scope["type"] == "lifespan" else self._outer
        await outer(scope, receive, send)

    async def _log(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, add headers to its response, and log it when it ends."""
        started = time.perf_counter()
        https = self._https_only or scope["scheme"] == "https"
        status: int | None = None

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = with_security_headers(message.get("headers", ()), https=https)
                if self._is_stopping():
                    message["headers"].append(_CLOSE)
            elif message["type"] == "websocket.close":
                status = message.get("code")
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=correlation_id.get()):
            try:
                await self._inner(scope, receive, send_with_headers)
            except Exception:
                status = status or Code.INTERNAL_SERVER_ERROR.status
                raise
            finally:
                log_end(scope, status, time.perf_counter() - started, self._metrics)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request of an authenticated client within its limits."""
        try:
            caller = await self._caller(scope)
        except (NotAuthenticatedError, TooManyAttemptsError) as error:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                refusal = _refusal(error, basic=scope["path"] == METRICS_PATH)
                await refusal.response()(scope, receive, send)
            return
        if caller is not None:
            scope.setdefault("state", {}).update(caller=caller, client_id=caller.client_id, role=caller.role)
            structlog.contextvars.bind_contextvars(client_id=caller.client_id)  # until the request ends
        admitted: ASGIApp = self._limits if scope["type"] == "http" else self._app
        await admitted(scope, receive, send)

    async def _caller(self, scope: Scope) -> Caller | None:
        """Return the caller; None if none is needed, or a WebSocket's first message has the credentials.

        Raises:
            NotAuthenticatedError: the credentials are missing or wrong.
            TooManyAttemptsError: the address has sent too many wrong credentials.
        """
        headers, path = Headers(scope=scope), scope["path"]
        client_id, secret = headers.get(CLIENT_ID_HEADER), headers.get(CLIENT_SECRET_HEADER)
        # The health check shows details to authenticated clients.
        is_open = path in self._open_paths and (path != HEALTH_CHECK_PATH or client_id is None)
        if is_open or (scope["type"] == "websocket" and client_id is None):
            return None
        if path == METRICS_PATH and client_id is None:
            # Prometheus supports HTTP Basic. Elsewhere, browsers that remember it would allow CSRF.
            client_id, secret = _basic_credentials(headers.get("authorization", ""))
        return await self._authenticator.caller(HTTPConnection(scope), client_id, secret)


def _compressed(app: ASGIApp) -> ASGIApp:
    """Compress responses, but not streams, since proxies may then buffer them."""
    for media_type in (GRAPHQL_RESPONSE, "application/jsonl", "text/csv"):
        add_compress_type(media_type)
    for media_type in ("text/event-stream", "multipart/mixed"):
        remove_compress_type(media_type)
    return CompressMiddleware(app, minimum_size=MIN_COMPRESSED_BYTES)


def _with_cors(app: ASGIApp, settings: Settings) -> ASGIApp:
    if not settings.cors_origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "POST"],
        allow_headers=[CLIENT_ID_HEADER, CLIENT_SECRET_HEADER, "content-type", *PREFLIGHT_HEADERS],
    )


def _basic_credentials(authorization: str) -> tuple[str, str] | tuple[None, None]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None, None
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None, None
    return (client_id, secret) if colon else (None, None)


def _refusal(error: NotAuthenticatedError | TooManyAttemptsError, *, basic: bool) -> RefusedRequestError:
    if isinstance(error, TooManyAttemptsError):
        return RefusedRequestError(Code.RATE_LIMITED, str(error), {"retry-after": str(error.retry_after)})
    scheme = "Basic" if basic else "Client-Credentials"
    challenge = {"WWW-Authenticate": f'{scheme} realm="genregraph"'}
    return RefusedRequestError(Code.UNAUTHENTICATED, str(error), challenge)
