"""Headers of every response: security policies and the request id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

Header = tuple[bytes, bytes]

REQUEST_ID_HEADER: Final = "X-Request-ID"

API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
"""For responses that are not pages, in case a browser shows one."""

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""For the main page, the plain form and all assets."""

PLAYGROUND_POLICY: Final = (
    PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'") + "; worker-src 'self'"
)
"""For the playground: Monaco adds <style> elements without a nonce; its workers are our files."""

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

_ENCODED: Final = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]

_STRICT_TRANSPORT_SECURITY: Final = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
"""Only over HTTPS and in production."""


def with_security_headers(sent: Iterable[Header], *, https: bool) -> list[Header]:
    """Return a response's headers with the security headers that it does not set itself."""
    headers = list(sent)
    own = {name.lower() for name, _ in headers}
    added = [header for header in _ENCODED if header[0] not in own]
    return [*headers, *added, *([_STRICT_TRANSPORT_SECURITY] if https else ())]


def is_request_id(sent: str) -> bool:
    """Return whether a request id from a client is accepted."""
    return re.fullmatch(r"[A-Za-z0-9._-]{1,64}", sent) is not None
