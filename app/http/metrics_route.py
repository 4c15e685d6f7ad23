"""The `/metrics` route for Prometheus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry, make_asgi_app
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app.observability.metrics import Metrics

METRICS_PATH = "/metrics"


def metrics_route(
    metrics: Metrics,
    refresh: Callable[[], Awaitable[None]],
    together: Callable[[], Awaitable[CollectorRegistry]] | None = None,
) -> Route:
    """Return the route, which also works without the database.

    Args:
        metrics: the process's metrics.
        refresh: updates the metrics that come from the database; never raises.
        together: returns the merged metrics of all processes on this port, if there are several.
    """

    class _Answer(Response):
        def __init__(self, registry: CollectorRegistry) -> None:
            # prometheus_client's own application supports both formats, and compression.
            self._app = make_asgi_app(registry)
            super().__init__()

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self._app(scope, receive, send)

    async def show(_: Request) -> Response:
        await refresh()
        return _Answer(metrics.registry if together is None else await together())

    return Route(METRICS_PATH, show, methods=["GET"])
