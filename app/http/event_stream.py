"""Server-sent events, in the way that clients in the field read them."""

from __future__ import annotations

from strawberry.http.streaming import SSETransport

_EVENT_STREAM = "text/event-stream"


class EventStream(SSETransport):
    """Strawberry's server-sent events, for those who want nothing else, and with lines that end in LF.

    urql names event streams last for every operation, and so would get one for a simple query; and it looks
    for an empty line between two LF, as the event stream format allows but does not demand.
    """

    def accepts(self, accept: str) -> bool:
        """Tell whether an `Accept` header asks for an event stream before it asks for JSON."""
        for part in accept.split(","):
            media_type = part.split(";", 1)[0].strip().lower()
            if media_type == _EVENT_STREAM:
                return True
            if media_type.endswith("json"):
                return False
        return False

    def encode_event(self, event: str, data: str | None = None) -> str:
        """Encode one event."""
        return super().encode_event(event, data).replace("\r\n", "\n")

    def encode_comment(self, comment: str) -> str:
        """Encode a comment, which keeps the connection alive."""
        return super().encode_comment(comment).replace("\r\n", "\n")
