"""Client credentials on every path but the health checks."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.clients import Clients
from app.http.graphql_error import graphql_error

OPEN_PATHS = frozenset({"/livez", "/healthcheck"})

CLIENT_ID_HEADER = "client-id"
CLIENT_SECRET_HEADER = "client-secret"  # noqa: S105  (a header's name)


class ClientAuthentication:
    """ASGI middleware: answers 401 before a byte of the body is read; notes `client_id` in the state."""

    def __init__(self, app: ASGIApp, clients: Clients) -> None:
        self._app = app
        self._clients = clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a known client through."""
        if scope["type"] not in ("http", "websocket") or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["type"] == "websocket" and CLIENT_ID_HEADER not in headers:
            await self._app(scope, receive, send)  # a browser's: its first message says who it is
            return
        client_id = headers.get(CLIENT_ID_HEADER, "")
        secret = headers.get(CLIENT_SECRET_HEADER, "")
        if not (client_id and secret):
            message = f"Send the headers {CLIENT_ID_HEADER} and {CLIENT_SECRET_HEADER}."
        elif not self._clients.knows(client_id, secret):
            message = f"The {CLIENT_ID_HEADER} or {CLIENT_SECRET_HEADER} is wrong."
        else:
            scope.setdefault("state", {})["client_id"] = client_id
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        challenge = {"WWW-Authenticate": 'Client-Credentials realm="genregraph"'}
        await graphql_error(401, "UNAUTHENTICATED", message, challenge)(scope, receive, send)
