"""Whether to trace, and what."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp

from app.worker.worker import JobHandler

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

log = structlog.get_logger(__name__)


class Tracing(Protocol):
    """Puts spans around what a process does."""

    def requests(self, app: ASGIApp) -> ASGIApp:
        """Give an application with a span around each request."""

    def jobs(self, handler: JobHandler) -> JobHandler:
        """Give a handler with a span around each job, in the trace of the request that queued it."""

    def statements(self, engine: AsyncEngine) -> None:
        """Put a span around each SQL statement of an engine that is part of a request or job."""


class NoTracing:
    """Leaves everything as it is."""

    def requests(self, app: ASGIApp) -> ASGIApp:
        """Give the application."""
        return app

    def jobs(self, handler: JobHandler) -> JobHandler:
        """Give the handler."""
        return handler

    def statements(self, engine: AsyncEngine) -> None:
        """Do nothing."""


@contextmanager
def tracing() -> Iterator[Tracing]:
    """Give what puts spans around requests, jobs and statements; it does nothing unless asked for.

    When this context ends the last spans are sent.
    """
    if not any(os.environ.get(name) for name in ENDPOINTS):
        yield NoTracing()
        return
    try:
        from app.telemetry.open_telemetry import open_telemetry  # noqa: PLC0415 - it needs an extra
    except ImportError:
        log.warning("no traces: they need `pip install genregraph[otel]`")
        yield NoTracing()
        return
    with open_telemetry() as made:
        yield made
