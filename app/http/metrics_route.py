"""`/metrics`: what Prometheus asks for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from prometheus_client import make_asgi_app
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app.metrics.metrics import Metrics

METRICS_PATH = "/metrics"


def metrics_route(metrics: Metrics, refresh: Callable[[], Awaitable[None]]) -> Route:
    """Return the route; it answers with the database away, too.

    Args:
        metrics: what to show.
        refresh: looks up what is known to the database alone; it raises nothing.
    """
    # prometheus_client's own application knows both of Prometheus' formats, and compression.
    app = make_asgi_app(metrics.registry)

    class _Answer(Response):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope, receive, send)

    async def show(_: Request) -> Response:
        await refresh()
        return _Answer()

    return Route(METRICS_PATH, show, methods=["GET"])
