"""Spans around requests, named after their operation."""

from __future__ import annotations

from typing import Any, Final

import structlog
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.util.http import parse_excluded_urls
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.metrics.operation import Operation

_QUERY_STRING: Final = "genregraph.query_string"


def traced_requests(app: ASGIApp, provider: TracerProvider) -> ASGIApp:
    """Put a span around each request of an application, but for the probes."""
    traced = OpenTelemetryMiddleware(
        _Named(app),
        excluded_urls=parse_excluded_urls("/livez$,/healthcheck$,/metrics$"),
        exclude_spans=["receive", "send"],
        tracer_provider=provider,
    )

    async def without_query_string(scope: Scope, receive: Receive, send: Send) -> None:
        # It may hold a whole query, with values in it, and would stand in the span.
        hidden = {**scope, "query_string": b"", _QUERY_STRING: scope.get("query_string", b"")}
        await traced(hidden, receive, send)

    return without_query_string


class _Named:
    """Gives the request's span the name of its operation, and its log lines the trace's id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        scope["query_string"] = scope.pop(_QUERY_STRING)
        state = scope.setdefault("state", {})
        span = trace.get_current_span()
        trace_id = trace.format_trace_id(span.get_span_context().trace_id)

        async def name_and_send(message: Message) -> None:
            # With the last message the span ends, and can be told nothing more.
            _describe(span, state)
            await send(message)

        with structlog.contextvars.bound_contextvars(trace_id=trace_id):
            await self._app(scope, receive, name_and_send)


def _describe(span: trace.Span, state: dict[str, Any]) -> None:
    operation: Operation | None = state.get("operation")
    if operation is not None:
        span.update_name(f"{operation.type} {operation.field}")
        span.set_attribute("graphql.operation.type", operation.type)
        span.set_attribute("genregraph.outcome", operation.outcome)
    if "client_id" in state:
        span.set_attribute("genregraph.client_id", state["client_id"])
