"""Authenticate requests to all paths except the open ones."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Set as AbstractSet

import structlog
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.clients.authentication import Authenticator, NotAuthenticatedError, TooManyAttemptsError
from app.clients.credentials import CLIENT_ID_HEADER, CLIENT_SECRET_HEADER
from app.errors import Code
from app.http.responses import graphql_error

HEALTH_CHECK_PATH = "/healthcheck"

HEALTH_PATHS = frozenset({"/livez", HEALTH_CHECK_PATH})


class ClientAuthentication:
    """ASGI middleware: responds with 401 before the body is read; stores the `caller` in the state."""

    def __init__(
        self,
        app: ASGIApp,
        authenticator: Authenticator,
        *,
        open_paths: AbstractSet[str] = HEALTH_PATHS,
        basic_paths: AbstractSet[str] = frozenset(),
    ) -> None:
        """Initialize the middleware.

        Args:
            app: the wrapped application.
            authenticator: authenticates callers.
            open_paths: paths that need no credentials.
            basic_paths: paths that accept HTTP Basic, which Prometheus supports. Elsewhere it would allow
                CSRF, since browsers remember these credentials.
        """
        self._app = app
        self._authenticator = authenticator
        self._open_paths = open_paths
        self._basic_paths = basic_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on requests of authenticated clients."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        # The health check shows details to authenticated clients.
        named = scope["path"] == HEALTH_CHECK_PATH and CLIENT_ID_HEADER in headers
        if scope["path"] in self._open_paths and not named:
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket" and CLIENT_ID_HEADER not in headers:
            await self._app(scope, receive, send)  # from a browser: the first message has the credentials
            return
        basic = scope["path"] in self._basic_paths
        client_id, secret = headers.get(CLIENT_ID_HEADER), headers.get(CLIENT_SECRET_HEADER)
        if basic and client_id is None:
            client_id, secret = _basic_credentials(headers.get("authorization", ""))
        try:
            caller = await self._authenticator.caller(HTTPConnection(scope), client_id, secret)
        except (NotAuthenticatedError, TooManyAttemptsError) as error:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await _refusal(error, basic=basic)(scope, receive, send)
            return
        scope.setdefault("state", {}).update(caller=caller, client_id=caller.client_id, role=caller.role)
        structlog.contextvars.bind_contextvars(client_id=caller.client_id)  # until the request ends
        await self._app(scope, receive, send)


def _basic_credentials(authorization: str) -> tuple[str, str] | tuple[None, None]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None, None
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None, None
    return (client_id, secret) if colon else (None, None)


def _refusal(error: NotAuthenticatedError | TooManyAttemptsError, *, basic: bool) -> Response:
    if isinstance(error, TooManyAttemptsError):
        return graphql_error(Code.RATE_LIMITED, str(error), {"retry-after": str(error.retry_after)})
    scheme = "Basic" if basic else "Client-Credentials"
    challenge = {"WWW-Authenticate": f'{scheme} realm="genregraph"'}
    return graphql_error(Code.UNAUTHENTICATED, str(error), challenge)
