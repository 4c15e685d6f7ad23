"""Spans of requests, of jobs, and of the SQL statements within them, sent by OTLP over HTTP.

The standard variables apply, such as OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES and
OTEL_EXPORTER_OTLP_HEADERS. OTEL_TRACES_SAMPLER_ARG is the share of requests that are traced when their caller
has not decided that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased
from pgqueuer.ports.tracing import TRACER
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp

from app import __version__
from app.telemetry.jobs import QueuedJobs, traced_jobs
from app.telemetry.requests import traced_requests
from app.telemetry.sampling import RequestsAndJobs
from app.worker.worker import JobHandler


class OpenTelemetry:
    """Makes spans of one provider."""

    def __init__(self, provider: TracerProvider) -> None:
        """Make it.

        Args:
            provider: knows which spans to keep and where to send them.
        """
        self._provider = provider

    def requests(self, app: ASGIApp) -> ASGIApp:
        """Give an application with a span around each request."""
        return traced_requests(app, self._provider)

    def jobs(self, handler: JobHandler) -> JobHandler:
        """Give a handler with a span around each job, in the trace of the request that queued it."""
        return traced_jobs(handler, self._provider.get_tracer(__name__))

    def statements(self, engine: AsyncEngine) -> None:
        """Put a span around each SQL statement of an engine that is part of a request or job."""
        # It says it knows SQLAlchemy up to 2.0; with 2.1, which we have, a test shows that it works.
        SQLAlchemyInstrumentor().instrument(
            skip_dep_check=True, engine=engine.sync_engine, tracer_provider=self._provider
        )


@contextmanager
def open_telemetry() -> Iterator[OpenTelemetry]:
    """Give what makes spans; the last of them are sent at the end."""
    os.environ.setdefault("OTEL_SERVICE_NAME", "genregraph")
    provider = TracerProvider(
        sampler=ParentBased(RequestsAndJobs(float(os.environ.get("OTEL_TRACES_SAMPLER_ARG", "1")))),
        resource=Resource.create({"service.version": __version__}),
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    TRACER.tracer = QueuedJobs(provider.get_tracer(__name__))
    try:
        yield OpenTelemetry(provider)
    finally:
        TRACER.tracer = None
        SQLAlchemyInstrumentor().uninstrument()
        provider.shutdown()
