"""Telling clients, while the server is about to stop, that a connection takes no further request."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Draining:
    """Adds `Connection: close` to each response once `begin` was called.

    A client or proxy that keeps a connection would else send its next request on it just as the server
    closes it, and could not know whether that request was done.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._begun = False

    def begin(self) -> None:
        """Let each connection end with its next response."""
        self._begun = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, and end the connection once it is time."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_and_close(message: Message) -> None:
            if self._begun and message["type"] == "http.response.start":
                MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        await self._app(scope, receive, send_and_close)
