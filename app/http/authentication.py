"""Client credentials on every path but the health checks."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.graphql_error import graphql_error
from app.http.login_limiter import LoginLimiter
from app.services.client_directory import ClientDirectory
from app.services.roles import Caller

OPEN_PATHS = frozenset({"/livez", "/healthcheck"})

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

    def __init__(self, app: ASGIApp, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a known client through."""
        if scope["type"] not in ("http", "websocket") or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["type"] == "websocket" and CLIENT_ID_HEADER not in headers:
            await self._app(scope, receive, send)  # a browser's: its first message says who it is
            return
        try:
            caller = await self._authenticator.caller(
                HTTPConnection(scope), headers.get(CLIENT_ID_HEADER), headers.get(CLIENT_SECRET_HEADER)
            )
        except (NotAuthenticatedError, TooManyAttemptsError) as error:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await _refusal(error)(scope, receive, send)
            return
        scope.setdefault("state", {}).update(caller=caller, client_id=caller.client_id, role=caller.role)
        await self._app(scope, receive, send)


def _refusal(error: NotAuthenticatedError | TooManyAttemptsError) -> Response:
    if isinstance(error, TooManyAttemptsError):
        return graphql_error(429, "RATE_LIMITED", str(error), {"Retry-After": str(error.retry_after)})
    challenge = {"WWW-Authenticate": 'Client-Credentials realm="genregraph"'}
    return graphql_error(401, "UNAUTHENTICATED", str(error), challenge)
