"""A uvicorn server that stops without losing a request that reached it."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from types import FrameType

import structlog
import uvicorn

SILENCE_SECONDS = 1.0
"""How long a connection that was accepted last may take to send its request."""

log = structlog.get_logger(__name__)


class GracefulServer(uvicorn.Server):
    """Stops in three steps: it leaves the rotation, it takes no more connections, it ends what runs.

    On SIGTERM it goes on serving for a delay, in which load balancers notice. Then each connection that the
    kernel already holds for it is taken and answered: closing the listening socket would reset those, and
    a proxy that has sent its request there could not know whether it was done.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        on_listening: Callable[[GracefulServer], None],
        on_signal: Callable[[], None],
        delay_seconds: float,
    ) -> None:
        """Describe the server; nothing runs yet.

        Args:
            config: uvicorn's configuration.
            on_listening: called once; only then a free port has its number.
            on_signal: called once, at the first signal.
            delay_seconds: how long after SIGTERM it still takes connections. SIGINT, or a second signal,
                ends the delay.
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
        """Tell the application of a signal, and stop: after the delay if it is the first SIGTERM."""
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
        """Take no more connections, answer those there are, and end."""
        if not self.force_exit:
            await self._take_waiting_connections()
            await self._let_the_silent_speak()
        await super().shutdown(sockets)

    async def _take_waiting_connections(self) -> None:
        """Stop listening, having taken each connection that waited."""
        loop = asyncio.get_running_loop()
        listeners = [
            socket.socket(fileno=socket.dup(listener.fileno()))
            for server in self.servers
            for listener in server.sockets
        ]
        for server in self.servers:
            server.close()
        await asyncio.sleep(0)  # in which the event loop closes its own descriptors
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

    async def _let_the_silent_speak(self) -> None:
        """Give each connection without a request time to send one: uvicorn would close it at once."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SILENCE_SECONDS
        while loop.time() < deadline and not self.force_exit:
            # A WebSocket's connection has no `cycle`: it has spoken.
            silent = [c for c in self.server_state.connections if getattr(c, "cycle", ...) is None]
            if not silent:
                return
            await asyncio.sleep(0.02)

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
