"""An id for each request: the caller's own, so that it finds its requests in our log, or a new one."""

from __future__ import annotations

import re
from typing import Final

from asgi_correlation_id import CorrelationIdMiddleware
from starlette.middleware import Middleware

REQUEST_ID_HEADER: Final = "X-Request-ID"

_ACCEPTED: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""What may stand in our log and in the answer's header."""


def request_id() -> Middleware:
    """Return the middleware that gives each request its id, and sends it back."""
    return Middleware(CorrelationIdMiddleware, header_name=REQUEST_ID_HEADER, validator=_is_accepted)


def _is_accepted(sent: str) -> bool:
    return _ACCEPTED.fullmatch(sent) is not None
