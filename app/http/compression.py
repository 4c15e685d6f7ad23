"""Compress responses with Zstandard, Brotli or gzip, whichever the client accepts first in this order."""

from __future__ import annotations

from typing import Final

from starlette.middleware import Middleware
from starlette_compress import CompressMiddleware, add_compress_type, remove_compress_type

from app.http.responses import GRAPHQL_RESPONSE

MIN_COMPRESSED_BYTES: Final = 1024
"""Minimum size: smaller responses fit into one packet anyway."""


def compression() -> Middleware:
    """Return the middleware. Streams are not compressed, since proxies may then buffer them."""
    for media_type in (GRAPHQL_RESPONSE, "application/jsonl", "text/csv"):
        add_compress_type(media_type)
    for media_type in ("text/event-stream", "multipart/mixed"):
        remove_compress_type(media_type)
    return Middleware(CompressMiddleware, minimum_size=MIN_COMPRESSED_BYTES)
