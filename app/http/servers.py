"""uvicorn with limits on request heads, deliverable refusals, and upgrades ignored.

uvicorn itself does not limit the size of a request's head or how long it takes. It closes a connection while
the client still sends a refused body, so that the client gets a reset instead of the refusal. It loses the
body of a request that offers another protocol, such as `Upgrade: h2c`. Only this module uses uvicorn's
private names; pyproject.toml caps uvicorn's version because of them.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import httptools
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES: Final = 64 * 1024
"""Limit of the request line and headers together."""

HEAD_SECONDS: Final = 10.0
"""Time limit from the start of a connection or request to the end of its headers."""

REFUSED_BYTES_PER_SECOND: Final = 1024
"""Minimum rate of a refused body, averaged over HEAD_SECONDS."""

MAX_REFUSED_BYTES: Final = 1024 * 1024 * 1024
"""Limit of a refused body to discard: many clients read the response only after sending everything."""

MAX_REFUSED_SECONDS: Final = 30.0
"""Time limit for discarding a refused body."""

START_TIMEOUT_SECONDS: Final = 30.0
"""Time limit for starting a server in a thread."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Handles one connection."""

    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_body = False
    _refused_bytes = 0
    _refused_since = 0.0
    _ignores_upgrade = False
    half_closed = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer of the first request's head."""
        super().connection_made(cast("asyncio.Transport", _LingeringTransport(transport, self)))
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers."""
        self._stop_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse a request, or discard the rest of a refused one."""
        if self._head_timer is None and self._is_answered:
            self._expect_head()  # or the rest of a refused body
        if self.half_closed or (self._in_body and self._is_answered):
            self._count_refused(len(data))
        if self.half_closed:
            self._discard(data)
        else:
            self._parse(data)
        if self._head_timer is not None:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self._in_body and not self.half_closed:
                self._refuse(b"431 Request Header Fields Too Large")

    def on_headers_complete(self) -> None:
        """Pass the request to the application."""
        self._ignores_upgrade = (
            self.parser.should_upgrade()
            and not self._should_upgrade()
            and self.parser.get_method() != b"CONNECT"
        )
        if self._ignores_upgrade:
            return
        self._stop_head_timer()
        self._in_body = True
        self._refused_bytes = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Start the timer of the next request's head."""
        if self._ignores_upgrade:
            return
        self._in_body = False
        if self._is_answered:
            self._stop_head_timer()
        if not self.half_closed:
            super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Pass the connection to the WebSocket protocol."""
        self.transport = cast("Any", self.transport).transport
        super().handle_websocket_upgrade()

    def linger(self) -> None:
        """Stop sending but keep reading: closing now would reset the connection."""
        if not self.transport.can_write_eof():
            self._close()
            return
        self.half_closed = True
        self.transport.write_eof()
        self.flow.resume_reading()
        self._unset_keepalive_if_required()
        if self._head_timer is None:
            self._expect_head()

    @property
    def is_receiving(self) -> bool:
        """Whether the client may still be sending a request."""
        return self._in_body

    @property
    def _is_answered(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _parse(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            message = "Invalid HTTP request received."
            self.logger.warning(message)
            self.send_400_response(message)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
            elif self._ignores_upgrade:
                self._parse_without_upgrade(data[upgrade.args[0] :])

    def _parse_without_upgrade(self, rest: bytes) -> None:
        """Parse the head again without its upgrade headers, and then the rest."""
        version = self.parser.get_http_version().encode()
        head = [self.parser.get_method(), b" ", self.url, b" HTTP/", version, b"\r\n"]
        for name, value in self.headers:
            if name == b"connection":
                tokens = (token.strip() for token in value.split(b","))
                value = b", ".join(  # noqa: PLW2901
                    token for token in tokens if token.lower() not in {b"upgrade", b"http2-settings"}
                )
            if name not in {b"upgrade", b"http2-settings"} and (name != b"connection" or value):
                head += [name, b": ", value, b"\r\n"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._parse(b"".join([*head, b"\r\n", rest]))

    def _count_refused(self, size: int) -> None:
        now = self.loop.time()
        if not self._refused_bytes:
            self._refused_since = now
        self._refused_bytes += size
        if self._refused_bytes > MAX_REFUSED_BYTES or now - self._refused_since > MAX_REFUSED_SECONDS:
            self._close()

    def _discard(self, data: bytes) -> None:
        if not self._in_body:
            return
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._in_body = False
        if not self._in_body:
            self._close()

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_timed_out)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_timed_out(self) -> None:
        if self._in_body and self._head_bytes >= REFUSED_BYTES_PER_SECOND * HEAD_SECONDS:
            self._expect_head()
        elif self._head_bytes and not self._in_body and not self.half_closed:
            self._refuse(b"408 Request Timeout")
        else:
            self._close()  # browsers open spare connections

    def _refuse(self, status: bytes) -> None:
        """Refuse a head that is too slow or too large."""
        self._stop_head_timer()
        if not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            )
            self.linger()

    def _close(self) -> None:
        cast("Any", self.transport).transport.close()


class _LingeringTransport:
    """A transport that stays open while the client still sends a request."""

    def __init__(self, transport: asyncio.Transport, protocol: BoundedHttpProtocol) -> None:
        self.transport = transport
        self.write = transport.write  # the hot path skips __getattr__
        self._protocol = protocol

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)

    def is_closing(self) -> bool:
        return self._protocol.half_closed or self.transport.is_closing()

    def close(self) -> None:
        if self.is_closing():
            return
        if self._protocol.is_receiving:
            self._protocol.linger()
        else:
            self.transport.close()


SERVER_OPTIONS: Final[dict[str, Any]] = {
    "http": BoundedHttpProtocol,
    "server_header": False,
    "log_config": None,
    "access_log": False,
}
"""uvicorn options of all servers: these limits, and our own logs."""


@contextmanager
def running(app: ASGIApp) -> Iterator[int]:
    """Serve an application from a thread on a free local port; yield the port."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, **SERVER_OPTIONS))
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
