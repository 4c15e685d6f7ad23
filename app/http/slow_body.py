"""A limit on how slowly a request's body may come."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.graphql_error import graphql_error

BODY_TOO_SLOW: Final = "REQUEST_TIMEOUT"


class _BodyTooSlowError(Exception):
    """The body came too slowly."""


class _Pace:
    """Receives one request's body and keeps watch of its pace."""

    def __init__(self, receive: Receive, *, floor: float, seconds: float) -> None:
        self._receive = receive
        self._floor = floor
        self._seconds = seconds
        self._waited = 0.0
        self._received = 0
        self._complete = False

    async def receive(self) -> Message:
        """Return the next message.

        Raises:
            _BodyTooSlowError: too little has come in the time of waiting that is over now.
        """
        if self._complete:
            return await self._receive()  # waits for the client to go
        while True:
            message = await self._within_what_is_left()
            if message is not None:
                self._received += len(message.get("body", b""))
                self._complete = not message.get("more_body", False)
            if not self._complete and self._waited >= self._seconds:
                if self._received < self._floor:
                    raise _BodyTooSlowError
                self._waited, self._received = 0.0, 0
            if message is not None:
                return message

    async def _within_what_is_left(self) -> Message | None:
        start = time.monotonic()
        try:
            async with asyncio.timeout(self._seconds - self._waited):
                return await self._receive()
        except TimeoutError:
            return None
        finally:
            self._waited += time.monotonic() - start


class SlowBody:
    """ASGI middleware: answers 408 to a body that comes more slowly than a floor.

    What counts is the time of waiting for the client, not that of working on what it has sent: of every so
    many seconds of waiting, enough bytes must have come. A client that sends slowly but steadily goes
    through; one that holds its connection open by a byte now and then does not.
    """

    def __init__(self, app: ASGIApp, *, bytes_per_second: int, seconds: float) -> None:
        """Make the middleware.

        Args:
            app: what stands behind.
            bytes_per_second: the floor; 0 for none.
            seconds: over which it is averaged.
        """
        self._app = app
        self._bytes_per_second = bytes_per_second
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a body through that comes fast enough."""
        if scope["type"] != "http" or not self._bytes_per_second:
            await self._app(scope, receive, send)
            return
        pace = _Pace(receive, floor=self._bytes_per_second * self._seconds, seconds=self._seconds)
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, pace.receive, noted)
        except _BodyTooSlowError:
            if started:
                raise
            response = graphql_error(
                408,
                BODY_TOO_SLOW,
                f"The request came more slowly than {self._bytes_per_second:,} bytes a second, averaged over "
                f"{self._seconds:g} seconds.",
                {"connection": "close"},
            )
            await response(scope, receive, send)
