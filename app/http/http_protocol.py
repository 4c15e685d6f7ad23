"""uvicorn's HTTP, with a limit on how slowly and how large a request's head may come.

uvicorn has neither: a connection that never finishes its headers would stay open, and grow, for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, Literal

MAX_HEAD_BYTES: Final = 64 * 1024
"""Of the request line and the headers."""

HEAD_SECONDS: Final = 10.0
"""From when a connection is opened, or a next request begins, to the end of its headers."""

REFUSED_BYTES_PER_SECOND: Final = 1024
"""How fast the rest of a body must come that was refused."""

try:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
except ImportError:  # pragma: no cover  (a platform without httptools: h11 bounds the size, not the time)
    HTTP_PROTOCOL: type[asyncio.Protocol] | Literal["auto"] = "auto"
else:

    class BoundedHttpProtocol(HttpToolsProtocol):
        """One connection."""

        _head_timer: asyncio.TimerHandle | None = None
        _head_bytes = 0
        _in_body = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            """Expect a request."""
            super().connection_made(transport)
            self._expect_head()

        def connection_lost(self, exc: Exception | None) -> None:
            """Expect nothing any more."""
            self._head_came()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            """Take what came, unless it is a head without end."""
            if self._head_timer is None and self._is_answered:
                self._expect_head()  # or the rest of a body that was refused
            super().data_received(data)
            if self._head_timer is not None:
                self._head_bytes += len(data)
                if self._head_bytes > MAX_HEAD_BYTES and not self._in_body:
                    self._refuse(b"431 Request Header Fields Too Large")

        def on_headers_complete(self) -> None:
            """Let the application have the request."""
            self._head_came()
            self._in_body = True
            super().on_headers_complete()

        def on_message_complete(self) -> None:
            """Expect another request."""
            self._in_body = False
            if self._is_answered:
                self._head_came()
            super().on_message_complete()

        @property
        def _is_answered(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

        def _expect_head(self) -> None:
            self._head_bytes = 0
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._too_late)

        def _head_came(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _too_late(self) -> None:
            if self._in_body and self._head_bytes >= REFUSED_BYTES_PER_SECOND * HEAD_SECONDS:
                self._expect_head()  # many clients read the refusal only when all is sent
            elif self._head_bytes and not self._in_body:
                self._refuse(b"408 Request Timeout")
            elif not self.transport.is_closing():
                self.transport.close()  # browsers open connections before they need them

        def _refuse(self, status: bytes) -> None:
            self._head_came()
            if not self.transport.is_closing():
                self.transport.write(
                    b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
                )
                self.transport.close()

    HTTP_PROTOCOL = BoundedHttpProtocol

CONNECTION_LIMITS: Final[dict[str, Any]] = {"http": HTTP_PROTOCOL, "server_header": False}
"""What a uvicorn configuration needs to keep them."""
