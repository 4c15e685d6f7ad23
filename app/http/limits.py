"""Limit requests: a client's concurrent uploads and streams, and the size and speed of bodies.

Starlette's `max_body_size` is not used, because it replaces the response by plain text.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import Code
from app.http.requests import stream_for
from app.http.responses import RefusedRequestError
from app.settings import Settings

MAX_JSON_BYTES: Final = 16 * 1024 * 1024
"""Limit of JSON bodies and WebSocket messages, which are read into memory. 1,000 songs take a fifth of it."""

_MAX_DIGITS: Final = 18
"""Maximum digits of a Content-Length that is parsed."""


class ClientQuota:
    """Counts a resource per client, in this process."""

    def __init__(self, limit: int, work: str, code: Code) -> None:
        """Initialize the counts; `work` names the resource in messages."""
        self._limit = limit
        self._code = code
        self._message = (
            f"This client has reached its limit of {limit:,} concurrent {work}. "
            "Try again when one has finished."
        )
        self._open: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """The count of all clients together."""
        return self._open.total()

    def acquire(self, client_id: str) -> None:
        """Count one more for a client.

        Raises:
            RefusedRequestError: the client is at its limit.
        """
        if self._open.get(client_id, 0) >= self._limit:
            raise RefusedRequestError(self._code, self._message)
        self._open[client_id] += 1

    def release(self, client_id: str) -> None:
        """Release one for a client."""
        self._open[client_id] -= 1
        if not self._open[client_id]:
            del self._open[client_id]  # or ids of past clients would accumulate


class ClientQuotas:
    """The limits per client.

    Attributes:
        uploads: uploads in progress.
        subscriptions: streams, and running operations on WebSockets.
        websockets: WebSockets.
    """

    def __init__(self, settings: Settings) -> None:
        limit, code = settings.max_subscriptions_per_client, Code.TOO_MANY_SUBSCRIPTIONS
        self.uploads = ClientQuota(settings.max_uploads_per_client, "uploads", Code.TOO_MANY_UPLOADS)
        self.subscriptions = ClientQuota(limit, "subscriptions", code)
        self.websockets = ClientQuota(limit, "subscriptions", code)


class RequestLimits:
    """ASGI application around another: responds with 429, 413 or 408 to too many, too large or slow requests.

    It runs after authentication, which sets `client_id` in the state.
    """

    def __init__(self, app: ASGIApp, settings: Settings, quotas: ClientQuotas) -> None:
        self._app = app
        self._settings = settings
        self._quotas = quotas

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request within the limits."""
        headers = Headers(scope=scope)
        upload = headers.get("content-type", "").lower().startswith("multipart/")
        client_id = scope.get("state", {}).get("client_id")
        quota = None
        if client_id is not None:
            if upload:
                quota = self._quotas.uploads
            elif stream_for(headers.get("accept", "")) is not None:
                quota = self._quotas.subscriptions
        body = _Body(receive, self._settings, upload=upload)
        try:
            body.check_content_length(headers.get("content-length", ""))
            if quota is not None:
                quota.acquire(client_id)
        except RefusedRequestError as error:
            await error.response()(scope, receive, send)
            return
        try:
            await self._app(scope, body.receive, send)
        finally:
            if quota is not None:
                quota.release(client_id)


class _Body:
    """Receives a request's body; raises RefusedRequestError if it is too large or too slow.

    Bytes are counted as they arrive, so chunked bodies are limited too. Only the time spent waiting for the
    client counts: enough bytes must arrive in each interval of waiting. This allows slow but steady clients,
    not those that keep a connection open with an occasional byte.
    """

    def __init__(self, receive: Receive, settings: Settings, *, upload: bool) -> None:
        self._receive = receive
        self._max_bytes = settings.max_upload_bytes
        self._advice = "Send the songs in several files."
        if not upload:
            self._max_bytes = min(self._max_bytes, MAX_JSON_BYTES)
            self._advice = "Send fewer songs at a time, or a file."
        self._bytes_per_second = settings.upload_min_bytes_per_second
        self._seconds = settings.request_timeout_seconds
        self._waited = 0.0
        self._received_in_interval = 0
        self._received = 0
        self._complete = not self._bytes_per_second

    def check_content_length(self, length: str) -> None:
        if length.isdecimal() and (len(length) > _MAX_DIGITS or int(length) > self._max_bytes):
            raise self._too_large()

    async def receive(self) -> Message:
        message = await (self._receive() if self._complete else self._receive_in_time())
        self._received += len(message.get("body", b""))
        if self._received > self._max_bytes:
            raise self._too_large()
        return message

    async def _receive_in_time(self) -> Message:
        while True:
            start = time.monotonic()
            message = None
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds - self._waited):
                    message = await self._receive()
            self._waited += time.monotonic() - start
            if message is not None:
                self._received_in_interval += len(message.get("body", b""))
                self._complete = not message.get("more_body", False)
            if not self._complete and self._waited >= self._seconds:
                if self._received_in_interval < self._bytes_per_second * self._seconds:
                    raise RefusedRequestError(
                        Code.REQUEST_TIMEOUT,
                        f"The request was slower than {self._bytes_per_second:,} bytes per second over "
                        f"{self._seconds:g} seconds.",
                        {"connection": "close"},
                    )
                self._waited, self._received_in_interval = 0.0, 0
            if message is not None:
                return message

    def _too_large(self) -> RefusedRequestError:
        message = f"The request is larger than {self._max_bytes:,} bytes. {self._advice}"
        return RefusedRequestError(Code.PAYLOAD_TOO_LARGE, message)
