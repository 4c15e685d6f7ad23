"""Trace requests, jobs and their SQL statements, exported by OTLP over HTTP.

The standard variables apply, such as OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES and
OTEL_EXPORTER_OTLP_HEADERS. OTEL_TRACES_SAMPLER_ARG is the share of requests to trace if the caller has not
decided.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, Final

import structlog
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.util.http import parse_excluded_urls
from pgqueuer.adapters.tracing.opentelemetry import OpenTelemetryTracing
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job
from pgqueuer.ports.tracing import TRACER
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import __version__
from app.observability.metrics import Operation
from app.observability.tracing import JobAttributes, JobHandler, Tracing, traced_steps

_QUERY_STRING: Final = "genregraph.query_string"


class OpenTelemetry(Tracing):
    """Tracing with one tracer provider, which samples and exports the spans."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(__name__)

    def requests(self, app: ASGIApp) -> ASGIApp:
        """Return the application with each request traced, except health checks."""

        async def within_span(scope: Scope, receive: Receive, send: Send) -> None:
            scope["query_string"] = scope.pop(_QUERY_STRING)
            state = scope.setdefault("state", {})
            span = trace.get_current_span()

            async def describe_and_send(message: Message) -> None:
                # The span ends with the last message and cannot be changed afterwards.
                _describe(span, state)
                await send(message)

            with _trace_id_logged(span):
                await app(scope, receive, describe_and_send)

        traced = OpenTelemetryMiddleware(
            within_span,
            excluded_urls=parse_excluded_urls("/livez$,/healthcheck$,/metrics$"),
            exclude_spans=["receive", "send"],
            tracer_provider=self._provider,
        )

        async def without_query_string(scope: Scope, receive: Receive, send: Send) -> None:
            # It may contain a whole query with values, which would end up in the span.
            hidden = {**scope, "query_string": b"", _QUERY_STRING: scope.get("query_string", b"")}
            await traced(hidden, receive, send)

        return without_query_string

    def jobs(
        self, handler: JobHandler, *, attributes: JobAttributes, handed_over: type[Exception]
    ) -> JobHandler:
        """Return the handler with each job traced, and the trace id in its log lines.

        Names and attributes follow OpenTelemetry's messaging conventions.
        """

        async def traced(job: Job) -> None:
            messaging = {
                "messaging.system": "pgqueuer",
                "messaging.destination.name": job.entrypoint,
                "messaging.operation.name": "process",
                "messaging.operation.type": "process",
                "messaging.message.id": str(job.id),
            }
            with (
                self._tracer.start_as_current_span(
                    f"process {job.entrypoint}",
                    context=propagate.extract(job.otel_headers() or {}),
                    kind=SpanKind.CONSUMER,
                    attributes={**messaging, **attributes(job)},
                    record_exception=False,
                    set_status_on_exception=False,
                ) as span,
                _trace_id_logged(span),
            ):
                try:
                    await handler(job)
                except RetryRequested as error:
                    # Handing a batch over at shutdown is not a failure.
                    is_handed_over = isinstance(error.__cause__, handed_over)
                    span.set_attribute("genregraph.handed_over", is_handed_over)
                    if not is_handed_over:
                        span.set_status(StatusCode.ERROR, error.reason)
                    raise

        return traced

    def statements(self, engines: Sequence[AsyncEngine]) -> None:
        """Trace the SQL statements of requests and jobs on these engines."""
        # It declares support for SQLAlchemy up to 2.0; a test shows that it works with 2.1.
        SQLAlchemyInstrumentor().instrument(
            skip_dep_check=True,
            engines=[engine.sync_engine for engine in engines],
            tracer_provider=self._provider,
        )

    def statement(self, sql: str) -> AbstractContextManager[object]:
        """Return a span for a statement that does not go through an engine."""
        return self._tracer.start_as_current_span(
            sql.partition(" ")[0],
            kind=SpanKind.CLIENT,
            attributes={"db.system": "postgresql", "db.statement": sql},
        )


@contextmanager
def open_telemetry(processor: SpanProcessor | None = None) -> Iterator[OpenTelemetry]:
    """Yield the tracing, by OTLP unless given a processor; the remaining spans are exported at the end."""
    os.environ.setdefault("OTEL_SERVICE_NAME", "genregraph")
    provider = TracerProvider(
        sampler=ParentBased(_RequestsAndJobs(float(os.environ.get("OTEL_TRACES_SAMPLER_ARG", "1")))),
        resource=Resource.create({"service.version": __version__}),
    )
    provider.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))
    tracer = provider.get_tracer(__name__)
    TRACER.tracer = _QueuedJobs(tracer)
    try:
        with traced_steps(tracer.start_as_current_span):
            yield OpenTelemetry(provider)
    finally:
        TRACER.tracer = None
        SQLAlchemyInstrumentor().uninstrument()
        provider.shutdown()


class _QueuedJobs(OpenTelemetryTracing):
    """Traces the queueing of a job, and adds the trace context to its headers.

    pgqueuer's own span of a job would report success whenever the job is retried.
    """

    @asynccontextmanager
    async def trace_process(self, job: Job) -> AsyncIterator[None]:
        del job
        yield


def _trace_id_logged(span: trace.Span) -> AbstractContextManager[object]:
    trace_id = trace.format_trace_id(span.get_span_context().trace_id)
    return structlog.contextvars.bound_contextvars(trace_id=trace_id)


def _describe(span: trace.Span, state: dict[str, Any]) -> None:
    """Name a request's span after its operation."""
    operation: Operation | None = state.get("operation")
    if operation is not None:
        span.update_name(f"{operation.type} {operation.field}")
        span.set_attribute("graphql.operation.type", operation.type)
        span.set_attribute("genregraph.outcome", operation.outcome)
    if "client_id" in state:
        span.set_attribute("genregraph.client_id", state["client_id"])


class _RequestsAndJobs(Sampler):
    """Samples a share (0 to 1) of requests and jobs, and nothing else, such as queue polling."""

    def __init__(self, share: float) -> None:
        self._share = TraceIdRatioBased(share)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        *more: Any,
        **options: Any,
    ) -> SamplingResult:
        sampler: Sampler = self._share if kind in {SpanKind.SERVER, SpanKind.CONSUMER} else ALWAYS_OFF
        return sampler.should_sample(parent_context, trace_id, name, kind, *more, **options)

    def get_description(self) -> str:
        return f"requests and jobs, {self._share.get_description()}"
