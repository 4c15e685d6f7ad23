"""Spans of requests and of the SQL statements within them.

The standard variables apply, such as OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES and
OTEL_EXPORTER_OTLP_HEADERS. OTEL_TRACES_SAMPLER_ARG is the share of requests that are traced when their caller
has not decided that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.http import parse_excluded_urls
from opentelemetry.util.types import Attributes
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import __version__
from app.metrics.operation import Operation

_QUERY_STRING: Final = "genregraph.query_string"


@contextmanager
def traced_requests() -> Iterator[Callable[[ASGIApp, AsyncEngine], ASGIApp]]:
    """Give what puts spans around the requests of an application; send the last spans at the end.

    Its arguments are the application and the engine of its database.
    """
    os.environ.setdefault("OTEL_SERVICE_NAME", "genregraph")
    provider = TracerProvider(
        sampler=ParentBased(_Requests(float(os.environ.get("OTEL_TRACES_SAMPLER_ARG", "1")))),
        resource=Resource.create({"service.version": __version__}),
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    instrumentor = SQLAlchemyInstrumentor()

    def around(app: ASGIApp, engine: AsyncEngine) -> ASGIApp:
        # It says it knows SQLAlchemy up to 2.0; with 2.1, which we have, a test shows that it works.
        instrumentor.instrument(skip_dep_check=True, engine=engine.sync_engine, tracer_provider=provider)
        return _around(app, provider)

    try:
        yield around
    finally:
        instrumentor.uninstrument()
        provider.shutdown()


class _Requests(Sampler):
    """Samples a share of the requests, and nothing that is no part of one, as the queue's polling."""

    def __init__(self, share: float) -> None:
        self._share = TraceIdRatioBased(share)

    def should_sample(  # noqa: PLR0913, PLR0917 - OpenTelemetry's signature
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Decide on a span that has no parent."""
        sampler: Sampler = self._share if kind is SpanKind.SERVER else ALWAYS_OFF
        return sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """Describe it."""
        return f"requests, {self._share.get_description()}"


def _around(app: ASGIApp, provider: TracerProvider) -> ASGIApp:
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
