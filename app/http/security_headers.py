"""Headers that tell browsers to do no more with an answer than they need to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from asgi_correlation_id import correlation_id
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.content_security_policy import API_POLICY
from app.http.graphql_error import graphql_error
from app.http.request_id import REQUEST_ID_HEADER

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
"""On every answer that does not say otherwise itself, as the pages do of their policy and of caching."""

STRICT_TRANSPORT_SECURITY: Final = "max-age=31536000; includeSubDomains"
"""Only where browsers came by HTTPS, or in production, where they must."""


class SecurityHeaders:
    """ASGI middleware: adds the headers to every answer."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        """Make the middleware.

        Args:
            app: what stands behind.
            https: whether browsers reach the service by HTTPS alone, by way of a proxy that is not seen here.
        """
        self._app = app
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        https = self._https or scope["scheme"] == "https"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if https:
                    headers["strict-transport-security"] = STRICT_TRANSPORT_SECURITY
            await send(message)

        await self._app(scope, receive, send_with_headers)


async def internal_server_error(_request: Request, _error: Exception) -> Response:
    """Answer a request that failed for a mistake of ours; Starlette answers it outside of all middleware."""
    message = "Something went wrong on our side; the log has the details."
    headers = {**SECURITY_HEADERS, REQUEST_ID_HEADER: correlation_id.get() or ""}
    return graphql_error(500, "INTERNAL_SERVER_ERROR", message, headers)
