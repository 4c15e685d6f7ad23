"""Streamed responses: server-sent events, and Apollo's multipart subscriptions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from strawberry.http.parse_content_type import parse_content_type
from strawberry.http.streaming import HTTPStreamTransport, MultipartSubscriptionTransport, SSETransport


class EventStream(SSETransport):
    """Strawberry's server-sent events, with LF line endings.

    urql only recognizes LF as the end of a line.
    """

    def accepts(self, accept: str) -> bool:
        """Return whether an `Accept` header lists event streams before JSON."""
        return any(_media_type(part) == "text/event-stream" for part in _before_json(accept))

    def encode_event(self, event: str, data: str | None = None) -> str:
        """Encode one event."""
        return super().encode_event(event, data).replace("\r\n", "\n")

    def encode_comment(self, comment: str) -> str:
        """Encode a keep-alive comment."""
        return super().encode_comment(comment).replace("\r\n", "\n")


class MultipartStream(MultipartSubscriptionTransport):
    """Strawberry's multipart subscriptions."""

    def accepts(self, accept: str) -> bool:
        """Return whether an `Accept` header lists multipart subscriptions before JSON."""
        return any(
            _media_type(part) == "multipart/mixed" and self.accepts_content_type(*parse_content_type(part))
            for part in _before_json(accept)
        )


_TRANSPORTS: Final = (EventStream(), MultipartStream())


def stream_for(accept: str) -> HTTPStreamTransport | None:
    """Return the transport that an `Accept` header requests; None for an ordinary response."""
    lowered = accept.lower()
    if "event-stream" not in lowered and "multipart" not in lowered:
        return None  # the usual case
    return next((transport for transport in _TRANSPORTS if transport.accepts(accept)), None)


def _before_json(accept: str) -> Iterator[str]:
    """Yield the media types of an `Accept` header, with parameters, up to the first JSON type.

    urql lists event streams last for every operation, but wants JSON for simple queries.
    """
    for part in accept.lower().split(","):
        if _media_type(part).endswith("json"):
            return
        yield part.strip()


def _media_type(part: str) -> str:
    return part.partition(";")[0].strip()
