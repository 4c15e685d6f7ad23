"""Spans around jobs of the queue, in the trace of the request that queued them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind, StatusCode, Tracer
from pgqueuer.adapters.tracing.opentelemetry import OpenTelemetryTracing
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job

from app.repositories.queue import batch_of_job
from app.services.batch_processing import HandedOverError
from app.worker.worker import JobHandler


class QueuedJobs(OpenTelemetryTracing):
    """Puts a span around the queueing of a job, and the trace into its headers.

    pgqueuer's own span around the work on a job would say that all is well whenever it is tried again.
    """

    @asynccontextmanager
    async def trace_process(self, job: Job) -> AsyncIterator[None]:
        """Do nothing: `traced_jobs` does."""
        del job
        yield


def traced_jobs(handler: JobHandler, tracer: Tracer) -> JobHandler:
    """Put a span around each job, with its batch, and give the job's log lines the trace's id.

    Names and attributes are those of OpenTelemetry's conventions for messaging.
    """

    async def traced(job: Job) -> None:
        attributes = {
            "messaging.system": "pgqueuer",
            "messaging.destination.name": job.entrypoint,
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.message.id": str(job.id),
            "genregraph.batch_id": str(batch_of_job(job.payload)),
        }
        with tracer.start_as_current_span(
            f"process {job.entrypoint}",
            context=propagate.extract(job.otel_headers() or {}),
            kind=SpanKind.CONSUMER,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            trace_id = trace.format_trace_id(span.get_span_context().trace_id)
            with structlog.contextvars.bound_contextvars(trace_id=trace_id):
                try:
                    await handler(job)
                except RetryRequested as error:
                    # A worker that stops and hands its batch over is nobody's failure.
                    handed_over = isinstance(error.__cause__, HandedOverError)
                    span.set_attribute("genregraph.handed_over", handed_over)
                    if not handed_over:
                        span.set_status(StatusCode.ERROR, error.reason)
                    raise

    return traced
