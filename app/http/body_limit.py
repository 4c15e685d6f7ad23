"""A limit on the size of request bodies."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.graphql_error import graphql_error


class _BodyTooLargeError(Exception):
    """More bytes came than are allowed."""


class BodyLimit:
    """ASGI middleware: answers 413 to a body over the limit.

    It counts the bytes as they come, so that a chunked body, which announces no length, is covered.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a small enough body through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        response = graphql_error(
            413,
            "PAYLOAD_TOO_LARGE",
            f"The request is larger than {self._max_bytes:,} bytes; send the songs in several files.",
        )
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self._max_bytes:
            await response(scope, receive, send)
            return
        received = 0
        started = False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise _BodyTooLargeError
            return message

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, counted, noted)
        except _BodyTooLargeError:
            if started:
                raise
            await response(scope, receive, send)
