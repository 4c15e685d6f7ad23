"""Whether to trace."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

log = structlog.get_logger(__name__)


@contextmanager
def tracing() -> Iterator[Callable[[ASGIApp, AsyncEngine], ASGIApp]]:
    """Give what puts a span around each request of an application, and around the statements within it.

    Its arguments are the application and the engine of its database. It does nothing unless asked for. When
    this context ends the last spans are sent.
    """
    if not any(os.environ.get(name) for name in ENDPOINTS):
        yield lambda app, _: app
        return
    try:
        from app.telemetry.requests import traced_requests  # noqa: PLC0415 - it needs an extra
    except ImportError:
        log.warning("no traces: they need `pip install genregraph[otel]`")
        yield lambda app, _: app
        return
    with traced_requests() as around:
        yield around
