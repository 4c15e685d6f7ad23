"""Client credentials on every path but the open ones."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Set as AbstractSet

import structlog
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.graphql_error import graphql_error
from app.http.login_limiter import LoginLimiter
from app.services.client_directory import ClientDirectory
from app.services.roles import Caller

HEALTH_PATHS = frozenset({"/livez", "/healthcheck"})

CLIENT_ID_HEADER = "client-id"
CLIENT_SECRET_HEADER = "client-secret"  # noqa: S105  (a header's name)


class NotAuthenticatedError(Exception):
    """Credentials are missing or wrong; the message says which."""


class TooManyAttemptsError(Exception):
    """Too many wrong credentials came from one address.

    Attributes:
        retry_after: seconds to wait.
    """

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"Too many wrong credentials; try again in {retry_after} seconds.")


class Authenticator:
    """Tells callers by their credentials."""

    def __init__(self, directory: ClientDirectory, limiter: LoginLimiter) -> None:
        self.directory = directory
        self._limiter = limiter

    async def caller(self, connection: HTTPConnection, client_id: object, secret: object) -> Caller:
        """Return who calls.

        Args:
            connection: the request or WebSocket.
            client_id: as sent, None if it was not.
            secret: as sent.

        Raises:
            NotAuthenticatedError: something is missing or wrong.
            TooManyAttemptsError: the address has sent too many wrong credentials.
        """
        if not (isinstance(client_id, str) and isinstance(secret, str) and client_id and secret):
            raise NotAuthenticatedError(f"Send the headers {CLIENT_ID_HEADER} and {CLIENT_SECRET_HEADER}.")
        address = connection.client.host if connection.client else ""
        if wait := self._limiter.seconds_to_wait(address, client_id):
            raise TooManyAttemptsError(wait)
        caller = await self.directory.authenticate(client_id, secret)
        if caller is None:
            self._limiter.note_failure(address, client_id)
            raise NotAuthenticatedError(f"The {CLIENT_ID_HEADER} or {CLIENT_SECRET_HEADER} is wrong.")
        return caller


class ClientAuthentication:
    """ASGI middleware: answers 401 before a byte of the body is read; notes the `caller` in the state."""

    def __init__(
        self,
        app: ASGIApp,
        authenticator: Authenticator,
        *,
        open_paths: AbstractSet[str] = HEALTH_PATHS,
        basic_paths: AbstractSet[str] = frozenset(),
    ) -> None:
        """Make the middleware.

        Args:
            app: what stands behind.
            authenticator: tells callers.
            open_paths: where everybody may go.
            basic_paths: where credentials may come by HTTP Basic: Prometheus sends these more easily.
                Elsewhere browsers, which would remember them, could be made to send them by other sites.
        """
        self._app = app
        self._authenticator = authenticator
        self._open_paths = open_paths
        self._basic_paths = basic_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a known client through."""
        if scope["type"] not in ("http", "websocket") or scope["path"] in self._open_paths:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["type"] == "websocket" and CLIENT_ID_HEADER not in headers:
            await self._app(scope, receive, send)  # a browser's: its first message says who it is
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
        return graphql_error(429, "RATE_LIMITED", str(error), {"Retry-After": str(error.retry_after)})
    scheme = "Basic" if basic else "Client-Credentials"
    challenge = {"WWW-Authenticate": f'{scheme} realm="genregraph"'}
    return graphql_error(401, "UNAUTHENTICATED", str(error), challenge)
