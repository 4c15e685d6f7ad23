"""One log line a request, with what it was, whose, how it ended and how long it took."""

from __future__ import annotations

import time
from typing import Any, Final

import structlog
from asgi_correlation_id import correlation_id
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.metrics.metrics import Metrics
from app.metrics.operation import Operation
from app.services.roles import Caller

MONITORING: Final = frozenset({"/livez", "/healthcheck", "/metrics"})
"""Asked every few seconds for ever; a line of the log only when something is wrong."""

CLIENT_CLOSED_REQUEST: Final = 499
"""The status, as nginx has it, of a request whose client was gone before the answer."""

_SERVER_ERROR: Final = 500

log = structlog.get_logger(__name__)


class AccessLog:
    """ASGI middleware: logs and counts each request and WebSocket when it has ended.

    The request's id is on each line that is logged meanwhile. Nothing that a client can fill at will is
    logged: no path but the routes' own, no query string, no header, no body.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, then log."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()
        status: int | None = None

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=correlation_id.get()):
            try:
                await self._app(scope, receive, noted)
            except Exception:
                status = status or _SERVER_ERROR
                raise
            finally:
                # Whoever is gone has got no answer, and none was due.
                self._note(scope, status or CLIENT_CLOSED_REQUEST, time.perf_counter() - begin)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        state: dict[str, Any] = scope.get("state", {})
        facts: dict[str, Any] = {"route": route_of(scope["path"]), "client_id": state.get("client_id")}
        if scope["type"] == "websocket":
            log.info("websocket closed", **_known(facts), seconds=round(seconds, 3))
            return
        self._metrics.note_response(facts["route"], status)
        if scope["path"] in MONITORING and status < _SERVER_ERROR:
            return
        facts |= {"method": scope["method"], "status": status}
        operation: Operation | None = state.get("operation")
        if operation is not None:
            facts |= _facts(operation)
        write = log.warning if status >= _SERVER_ERROR else log.info
        write("request", **_known(facts), seconds=round(seconds, 3))


def note_operation(connection: HTTPConnection | None, caller: Caller, operation: Operation) -> None:
    """Keep an operation for its request's line; one of a WebSocket gets a line of its own."""
    if connection is None:
        return
    if connection.scope["type"] == "http":
        connection.scope.setdefault("state", {})["operation"] = operation
    else:
        facts = {"client_id": caller.client_id, **_facts(operation)}
        log.info("operation", **_known(facts), seconds=round(operation.seconds, 3))


def route_of(path: str) -> str:
    """Return the route that a path belongs to: one of a few, whatever clients ask for."""
    if path == "/graphql" or path in MONITORING:
        return path
    if path.startswith("/batches/"):
        return "/batches/{id}/songs.csv"
    return "pages" if path == "/" or path.startswith("/assets/") else "other"


def _facts(operation: Operation) -> dict[str, Any]:
    return {
        "operation": f"{operation.type} {operation.field}",
        "outcome": operation.outcome,
        "rows": operation.rows,
    }


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}
