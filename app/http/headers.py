"""Headers of every response: security policies, the request id and `Connection: close`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from asgi_correlation_id import CorrelationIdMiddleware
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID_HEADER: Final = "X-Request-ID"

_ACCEPTED: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""Request ids that are accepted from clients."""

_STRICT: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}

# Monaco, the playground's editor, adds <style> elements without a nonce; its workers are our files.
_PLAYGROUND: Final = {
    **_STRICT,
    "style-src": "'self' 'unsafe-inline'",
    "worker-src": "'self'",
}


def _policy(directives: dict[str, str]) -> str:
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
"""For responses that are not pages, in case a browser shows one."""

PAGE_POLICY: Final = _policy(_STRICT)
"""For the main page, the plain form and all assets."""

PLAYGROUND_POLICY: Final = _policy(_PLAYGROUND)
"""For the playground."""

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "content-security-policy": API_POLICY,
    "cache-control": "no-store",
}
"""Defaults; the pages override their policy and caching."""

STRICT_TRANSPORT_SECURITY: Final = "max-age=31536000; includeSubDomains"
"""Only over HTTPS and in production."""


_ENCODED: Final = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
_STRICT_TRANSPORT: Final = (b"strict-transport-security", STRICT_TRANSPORT_SECURITY.encode())


class SecurityHeaders:
    """ASGI middleware: adds security headers to every response."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        """Initialize the middleware.

        Args:
            app: the wrapped application.
            https: whether browsers only reach the service by HTTPS, through a proxy.
        """
        self._app = app
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request and add the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        https = self._https or scope["scheme"] == "https"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent = message.get("headers", ())
                own = {name.lower() for name, _ in sent}
                added = [header for header in _ENCODED if header[0] not in own]
                message["headers"] = [*sent, *added, *([_STRICT_TRANSPORT] if https else ())]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def request_id() -> Middleware:
    """Return the middleware that gives each request an id and returns it in a header."""
    return Middleware(
        CorrelationIdMiddleware,
        header_name=REQUEST_ID_HEADER,
        update_request_header=False,
        validator=_is_accepted,
        transformer=None,
    )


def _is_accepted(sent: str) -> bool:
    return _ACCEPTED.fullmatch(sent) is not None
