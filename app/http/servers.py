"""Run uvicorn servers in a thread or in a worker's event loop."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from app.http.http_protocol import CONNECTION_LIMITS
from app.http.monitoring import LIVENESS_PATH, livez, metrics_route
from app.observability.collectors import DatabaseGauges
from app.observability.metrics import Metrics

START_TIMEOUT_SECONDS = 30.0


@contextmanager
def running(app: ASGIApp) -> Iterator[int]:
    """Serve an application over HTTP on a free local port; yields the port."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_config=None, access_log=False, **CONNECTION_LIMITS
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the service did not start")
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


class _Server(uvicorn.Server):
    """A server that leaves signals to the worker."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def answering(
    listener: socket.socket, metrics: Metrics, waiting: DatabaseGauges[Any]
) -> AsyncIterator[None]:
    """Serve a worker's liveness and metrics in this context, and then close the listener.

    If the event loop is stuck, the liveness probe fails.
    """
    routes = [Route(LIVENESS_PATH, livez), metrics_route(metrics, [waiting])]
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
