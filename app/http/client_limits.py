"""Limits on what one client may have under way at once over HTTP: uploads and event streams."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.client_quota import ClientQuota
from app.http.event_stream import EventStream
from app.http.graphql_error import graphql_error

TOO_MANY_UPLOADS: Final = "TOO_MANY_UPLOADS"
TOO_MANY_SUBSCRIPTIONS: Final = "TOO_MANY_SUBSCRIPTIONS"

RETRY_AFTER_SECONDS: Final = 5


class ClientLimits:
    """ASGI middleware: answers 429 to a client that has too many uploads or event streams under way.

    It stands behind authentication, which notes `client_id` in the state, and before a byte of the body is
    read.
    """

    def __init__(self, app: ASGIApp, *, uploads: ClientQuota, subscriptions: ClientQuota) -> None:
        """Make the middleware.

        Args:
            app: what stands behind.
            uploads: how many uploads a client may have.
            subscriptions: how many subscriptions; those over WebSockets count elsewhere.
        """
        self._app = app
        self._uploads = uploads
        self._subscriptions = subscriptions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what needs counting while it is answered."""
        client_id = scope.get("state", {}).get("client_id")
        if scope["type"] != "http" or client_id is None:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if headers.get("content-type", "").lower().startswith("multipart/"):
            quota, code, what = self._uploads, TOO_MANY_UPLOADS, "uploads"
        elif EventStream().accepts(headers.get("accept", "")):
            quota, code, what = self._subscriptions, TOO_MANY_SUBSCRIPTIONS, "subscriptions"
        else:
            await self._app(scope, receive, send)
            return
        if not quota.take(client_id):
            response = graphql_error(
                429, code, too_many(what, quota.limit), {"retry-after": str(RETRY_AFTER_SECONDS)}
            )
            await response(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            quota.give_back(client_id)


def too_many(what: str, limit: int) -> str:
    """Return the sentence that refuses one more."""
    return f"This client has {limit:,} {what} under way, as many as it may; try again when one has ended."
