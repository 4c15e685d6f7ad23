"""A uvicorn server that stops without losing requests."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from types import FrameType

import structlog
import uvicorn

IDLE_SECONDS = 1.0
"""How long an idle connection may take to send a request before it is closed."""

log = structlog.get_logger(__name__)


class GracefulServer(uvicorn.Server):
    """Stops in three steps: leave the load balancer, stop accepting connections, finish requests.

    After SIGTERM it continues to serve for a delay, during which load balancers notice. Then it accepts and
    answers each connection in the listen queue: closing the socket would reset those, and a proxy could not
    know whether its request was processed.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        on_listening: Callable[[GracefulServer], None],
        on_signal: Callable[[], None],
        delay_seconds: float,
    ) -> None:
        """Create the server without starting it.

        Args:
            config: uvicorn's configuration.
            on_listening: called once, when the port is known.
            on_signal: called once, at the first signal.
            delay_seconds: how long it serves on after SIGTERM, unless SIGINT or a second signal arrives.
        """
        super().__init__(config)
        self._on_listening = on_listening
        self._on_signal = on_signal
        self._delay_seconds = delay_seconds
        self._signalled = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            self._on_listening(self)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Notify the application, and stop: after the delay for the first SIGTERM, otherwise at once."""
        first, self._signalled = not self._signalled, True
        if first:
            self._on_signal()
        end = super().handle_exit
        if first and sig == signal.SIGTERM and self._delay_seconds and self._loop is not None:
            log.info("stopping", delay_seconds=self._delay_seconds)
            self._loop.call_soon_threadsafe(self._loop.call_later, self._delay_seconds, end, sig, frame)
        else:
            end(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting connections, finish requests, and stop."""
        if not self.force_exit:
            await self._accept_queued_connections()
            await self._wait_for_idle_connections()
        await super().shutdown(sockets)

    async def _accept_queued_connections(self) -> None:
        """Stop listening, and accept the connections in the listen queue."""
        loop = asyncio.get_running_loop()
        listeners = [
            socket.socket(fileno=socket.dup(listener.fileno()))
            for server in self.servers
            for listener in server.sockets
        ]
        for server in self.servers:
            server.close()
        await asyncio.sleep(0)  # lets the event loop close its descriptors
        for listener in listeners:
            listener.setblocking(False)
            waiting = []
            try:
                while True:
                    waiting.append(listener.accept()[0])
            except BlockingIOError:
                listener.close()
            for connection in waiting:
                connection.setblocking(False)
                await loop.connect_accepted_socket(self._protocol, connection)

    async def _wait_for_idle_connections(self) -> None:
        """Give idle connections time to send a request; uvicorn would close them at once."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + IDLE_SECONDS
        while loop.time() < deadline and not self.force_exit:
            # A WebSocket connection has no `cycle`.
            idle = [c for c in self.server_state.connections if getattr(c, "cycle", ...) is None]
            if not idle:
                return
            await asyncio.sleep(0.02)

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
