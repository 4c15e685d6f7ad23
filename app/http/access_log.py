"""Log one line per request: operation, client, outcome and duration."""

from __future__ import annotations

import logging
from typing import Any, Final

import structlog
from starlette.requests import HTTPConnection
from starlette.types import Scope

from app.clients.roles import Caller
from app.http.monitoring import HEALTH_CHECK_PATH, LIVENESS_PATH, METRICS_PATH
from app.observability.metrics import Metrics, Operation

MONITORING: Final = frozenset({LIVENESS_PATH, HEALTH_CHECK_PATH, METRICS_PATH})
"""Polled every few seconds; only logged when something is wrong."""

CLIENT_CLOSED_REQUEST: Final = 499
"""nginx's status for a request whose client disconnected before the response."""

_SERVER_ERROR: Final = 500

_REFUSED: Final = frozenset({401, 429, 1008, 4403, 4429})
"""HTTP statuses and WebSocket close codes for which the client's address is logged."""

log = structlog.get_logger(__name__)


def log_end(scope: Scope, status: int | None, seconds: float, metrics: Metrics) -> None:
    """Log and count a request or WebSocket that has ended; without a status, the client has disconnected.

    Client-controlled text is not logged: no path except the routes' own, no query string, header or body. The
    address is only logged for refused credentials and exceeded limits.
    """
    status = status or CLIENT_CLOSED_REQUEST
    state: dict[str, Any] = scope.get("state", {})
    fields: dict[str, Any] = {"route": route_of(scope["path"]), "client_id": state.get("client_id")}
    if status in _REFUSED:
        fields["address"] = scope["client"][0] if scope.get("client") else None
    if scope["type"] == "websocket":
        log.info("websocket closed", **_without_none(fields), seconds=round(seconds, 3))
        return
    metrics.record_response(fields["route"], status)
    if scope["path"] in MONITORING and status < _SERVER_ERROR:
        return
    fields |= {"method": scope["method"], "status": status}
    operation: Operation | None = state.get("operation")
    if operation is not None:
        fields |= _operation_fields(operation)
    level = logging.WARNING if status >= _SERVER_ERROR else logging.INFO
    log.log(level, "request", **_without_none(fields), seconds=round(seconds, 3))


def record_operation(connection: HTTPConnection | None, caller: Caller, operation: Operation) -> None:
    """Add an operation to its request's log line; WebSocket operations get their own line."""
    if connection is None:
        return
    if connection.scope["type"] == "http":
        connection.scope.setdefault("state", {})["operation"] = operation
    else:
        fields = {"client_id": caller.client_id, **_operation_fields(operation)}
        log.info("operation", **_without_none(fields), seconds=round(operation.seconds, 3))


def route_of(path: str) -> str:
    """Return the route of a path, out of a fixed set."""
    if path == "/graphql" or path in MONITORING:
        return path
    if path.startswith("/batches/"):
        return "/batches/{id}/songs.csv"
    return "pages" if path == "/" or path.startswith("/assets/") else "other"


def _operation_fields(operation: Operation) -> dict[str, Any]:
    return {
        "operation": f"{operation.type} {operation.field}",
        "outcome": operation.outcome,
        "rows": operation.rows,
    }


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _is_no_handshake(record: logging.LogRecord) -> bool:
    return '"WebSocket %s"' not in str(record.msg)


def quiet_libraries() -> None:
    """Leave out what libraries log of client-controlled text; idempotent."""
    # It warns about each invalid byte in an upload; the response reports those.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    # uvicorn logs handshakes with their query strings; `log_end` logs the WebSockets.
    logging.getLogger("uvicorn.error").addFilter(_is_no_handshake)
