"""Run uvicorn servers in a thread or in a worker's event loop, and close connections before one stops."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.batches.queue import WorkWaiting
from app.http.http_protocol import CONNECTION_LIMITS
from app.http.monitoring import LIVENESS_PATH, livez, metrics_route
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
async def answering(listener: socket.socket, metrics: Metrics, waiting: WorkWaiting) -> AsyncIterator[None]:
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


class Draining:
    """Adds `Connection: close` to each response after `begin` was called.

    Otherwise a client or proxy could send its next request just as the server closes the connection, without
    knowing whether it was processed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._begun = False

    def begin(self) -> None:
        """Close each connection after its next response."""
        self._begun = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; add the header if draining."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_and_close(message: Message) -> None:
            if self._begun and message["type"] == "http.response.start":
                MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        await self._app(scope, receive, send_and_close)
