"""Tracing, which does nothing unless an OTLP endpoint is set."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

import structlog
from pgqueuer.models import Job
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

_NO_SPAN: Final = nullcontext()

JobHandler = Callable[[Job], Awaitable[None]]
"""Processes a queued job."""

JobAttributes = Callable[[Job], Mapping[str, str]]
"""Returns the attributes of a job's span."""

StartSpan = Callable[[str], AbstractContextManager[object]]
"""Starts a child span with this name."""

log = structlog.get_logger(__name__)

_tracers: list[StartSpan] = []
"""The span starters; empty unless the process traces."""


def step(name: str) -> AbstractContextManager[object]:
    """Return a span for a step: upload, read, classify or merge."""
    return _tracers[-1](name) if _tracers else _NO_SPAN


@contextmanager
def traced_steps(start: StartSpan) -> Iterator[None]:
    """Trace this process's steps in this context."""
    _tracers.append(start)
    try:
        yield
    finally:
        _tracers.remove(start)


class Tracing:
    """Traces a process; here not at all, see `app.observability.open_telemetry`."""

    def requests(self, app: ASGIApp) -> ASGIApp:
        """Return the application with each request traced."""
        return app

    def jobs(
        self, handler: JobHandler, *, attributes: JobAttributes, handed_over: type[Exception]
    ) -> JobHandler:
        """Return the handler with each job traced, within the trace of the request that queued it.

        Args:
            handler: processes a job.
            attributes: returns the attributes of a job's span.
            handed_over: the cause of a retry that is not a failure.
        """
        del attributes, handed_over
        return handler

    def statements(self, engines: Sequence[AsyncEngine]) -> None:
        """Trace the SQL statements of requests and jobs on these engines."""

    def statement(self, sql: str) -> AbstractContextManager[object]:
        """Return a span for a statement that does not go through an engine."""
        del sql
        return _NO_SPAN


@contextmanager
def tracing() -> Iterator[Tracing]:
    """Yield the configured tracing, which does nothing unless an OTLP endpoint is set.

    The remaining spans are exported when this context ends.
    """
    if not any(os.environ.get(name) for name in ENDPOINTS):
        yield Tracing()
        return
    try:
        from app.observability.open_telemetry import open_telemetry  # noqa: PLC0415 - needs an extra
    except ImportError:
        log.warning("tracing is off: it needs `pip install genregraph[otel]`")
        yield Tracing()
        return
    with open_telemetry() as traces:
        yield traces
