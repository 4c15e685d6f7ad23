"""Responses in GraphQL's format: media type, status, JSON, errors outside of execution; security headers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from asgi_correlation_id import correlation_id
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.errors import Code

JSON: Final = "application/json"
GRAPHQL_RESPONSE: Final = "application/graphql-response+json"

REQUEST_ID_HEADER: Final = "X-Request-ID"

API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
"""For responses that are not pages, in case a browser shows one."""

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

_ENCODED_HEADERS: Final = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]

_STRICT_TRANSPORT_SECURITY: Final = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
"""Only over HTTPS and in production."""

_OK: Final = 200


def graphql_response(data: Mapping[str, Any], accept: str) -> Response:
    """Return a response with the status that its errors require, in a media type that the client accepts.

    In GraphQL's own media type, which a client has to accept explicitly, a request that was not executed (no
    `data`) gets 400.
    """
    graphql = GRAPHQL_RESPONSE in accept.lower()
    content_type = f"{GRAPHQL_RESPONSE}; charset=utf-8" if graphql else JSON
    response = Response(to_json(data), headers={"content-type": content_type})
    if data.get("data") is None:
        if graphql and "data" not in data:
            response.status_code = 400
        codes = {error.get("extensions", {}).get("code") for error in data.get("errors") or []}
        # A temporary outage takes precedence.
        for code in sorted(Code, key=lambda code: code is Code.UNAVAILABLE):
            if code in codes and code.decides_status:
                response.status_code = code.status
                response.headers.update(code.headers)
        if response.status_code == Code.METHOD_NOT_ALLOWED.status:
            response.headers["allow"] = "POST"  # a mutation by GET
    return response


def with_etag(response: Response, if_none_match: str) -> Response:
    """Return the response to a GET query with an ETag, or 304 if the client already has it.

    Browsers do not store responses (`no-store`); other clients may.
    """
    if response.status_code != _OK:
        return response
    tag = f'"{hashlib.blake2b(response.body, digest_size=16).hexdigest()}"'
    known = {part.strip().removeprefix("W/") for part in if_none_match.split(",")}
    if if_none_match == "*" or tag in known:
        return Response(status_code=304, headers={"etag": f"W/{tag}", "vary": "Accept-Encoding"})
    response.headers["etag"] = f"W/{tag}"
    return response


def to_json(data: object) -> bytes:
    """Encode data as JSON."""
    try:
        return orjson.dumps(data)
    except TypeError:  # a lone surrogate or an integer over 64 bits in the client's input
        return json.dumps(data, separators=(",", ":")).encode()


class RefusedRequestError(Exception):
    """A request is rejected; the message, by default the code's, says what to send instead."""

    def __init__(self, code: Code, message: str = "", headers: Mapping[str, str] | None = None) -> None:
        self.code = code
        self.headers = headers or {}
        super().__init__(message or code.message)

    def response(self) -> Response:
        """Return the response to the request; its headers add to those of the code."""
        return JSONResponse(
            {"errors": [{"message": str(self), "extensions": {"code": self.code}}]},
            status_code=self.code.status,
            headers={**self.code.headers, **self.headers},
        )


class BadRequestError(RefusedRequestError):
    """A request is malformed."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.BAD_REQUEST, message)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedRequestError)
    return error.response()


async def _http_error(request: Request, error: Exception) -> Response:
    """Respond to an unknown path or a wrong method."""
    assert isinstance(error, HTTPException)
    if error.status_code == Code.METHOD_NOT_ALLOWED.status:
        allowed = sorted(Headers(error.headers)["allow"].split(", "))
        message = f"{request.method[:20]} is not allowed here. Use {' or '.join(allowed)}."
        refusal = RefusedRequestError(Code.METHOD_NOT_ALLOWED, message, {"allow": ", ".join(allowed)})
    else:
        refusal = RefusedRequestError(Code.NOT_FOUND, "Unknown path. The API is at /graphql.")
    return refusal.response()


async def _internal_server_error(_request: Request, _error: Exception) -> Response:
    """Respond to an unexpected error; Starlette runs this outside of all middleware."""
    headers = {**SECURITY_HEADERS, REQUEST_ID_HEADER: correlation_id.get() or ""}
    return RefusedRequestError(Code.INTERNAL_SERVER_ERROR, headers=headers).response()


EXCEPTION_HANDLERS: Final = {
    RefusedRequestError: _refused,
    HTTPException: _http_error,
    Exception: _internal_server_error,
}


def with_security_headers(sent: Iterable[tuple[bytes, bytes]], *, https: bool) -> list[tuple[bytes, bytes]]:
    """Return a response's headers with the security headers that it does not set itself."""
    headers = list(sent)
    own = {name.lower() for name, _ in headers}
    added = [header for header in _ENCODED_HEADERS if header[0] not in own]
    return [*headers, *added, *([_STRICT_TRANSPORT_SECURITY] if https else ())]
