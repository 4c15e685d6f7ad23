"""A worker's HTTP endpoints, `/metrics` and `/livez`, on its event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from app.batches.waiting import WorkWaiting
from app.http.health import livez
from app.http.http_protocol import CONNECTION_LIMITS
from app.http.metrics_route import metrics_route
from app.observability.metrics import Metrics


class _Server(uvicorn.Server):
    """A server that leaves signals to the worker."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def answering(listener: socket.socket, metrics: Metrics, waiting: WorkWaiting) -> AsyncIterator[None]:
    """Serve the endpoints in this context.

    If the event loop is stuck, the liveness probe fails.

    Args:
        listener: the socket to serve on; closed at the end.
        metrics: the worker's metrics.
        waiting: updates the metrics that come from the database.
    """
    routes = [Route("/livez", livez), metrics_route(metrics, waiting.refresh)]
    config = uvicorn.Config(
        Starlette(routes=routes),
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
        **CONNECTION_LIMITS,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving
        listener.close()
