"""A limit on the size of request bodies."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.graphql_error import graphql_error

_MAX_DIGITS: Final = 18
"""Of an announced length that is worth reading as a number."""


class _BodyTooLargeError(Exception):
    """More bytes came than are allowed."""


MAX_JSON_BYTES: Final = 16 * 1024 * 1024
"""The largest body that is not an upload: it is read into memory, and 1,000 songs take a fifth of this. A
WebSocket's messages may be as large."""


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
        headers = Headers(scope=scope)
        max_bytes, advice = self._max_bytes, "send the songs in several files."
        if (
            not headers.get("content-type", "").lower().startswith("multipart/")
            and max_bytes > MAX_JSON_BYTES
        ):
            max_bytes, advice = MAX_JSON_BYTES, "send fewer songs at a time, or a file."
        response = graphql_error(
            413, "PAYLOAD_TOO_LARGE", f"The request is larger than {max_bytes:,} bytes; {advice}"
        )
        announced = headers.get("content-length", "")
        if announced.isdecimal() and (len(announced) > _MAX_DIGITS or int(announced) > max_bytes):
            await response(scope, receive, send)
            return
        received = 0
        started = False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > max_bytes:
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
