"""Responses of the GraphQL endpoint: media type, status and JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

import orjson
from starlette.responses import Response

from app.errors import Code

JSON: Final = "application/json"
GRAPHQL_RESPONSE: Final = "application/graphql-response+json"

_OK: Final = 200


def accepted_type(accept: str) -> str:
    """Return the media type for the response: GraphQL's own if the client accepts it explicitly."""
    return GRAPHQL_RESPONSE if GRAPHQL_RESPONSE in accept.lower() else JSON


def answer(data: object, media_type: str) -> Response:
    """Return a response with the status that its errors require.

    In GraphQL's own media type, a request that was not executed (no `data`) gets 400.
    """
    own = media_type == GRAPHQL_RESPONSE
    content_type = f"{GRAPHQL_RESPONSE}; charset=utf-8" if own else JSON
    response = Response(encoded(data), headers={"content-type": content_type})
    if isinstance(data, Mapping) and data.get("data") is None:
        if own and "data" not in data:
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


def unless_known(response: Response, if_none_match: str) -> Response:
    """Return the response to a GET query with an ETag, or 304 if the client already has it.

    Browsers do not store responses (`no-store`); other clients may.

    Args:
        response: the response to the query.
        if_none_match: the request header.
    """
    if response.status_code != _OK:
        return response
    tag = f'W/"{hashlib.blake2b(response.body, digest_size=16).hexdigest()}"'
    if tag in {known.strip() for known in if_none_match.split(",")}:
        return Response(status_code=304, headers={"etag": tag})
    response.headers["etag"] = tag
    return response


def without_data(response: MutableMapping[str, Any]) -> None:
    """Remove `data` from the response if the request was not executed."""
    errors = response.get("errors") or []
    if response.get("data") is None and errors and not any("path" in error for error in errors):
        response.pop("data", None)


def encoded(data: object) -> bytes:
    """Encode data as JSON."""
    try:
        return orjson.dumps(data)
    except TypeError:  # a lone surrogate or an integer over 64 bits in the client's input
        return json.dumps(data, separators=(",", ":")).encode()
