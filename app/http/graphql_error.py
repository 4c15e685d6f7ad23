"""Errors outside of GraphQL execution, in GraphQL's format."""

from __future__ import annotations

from collections.abc import Mapping

from asgi_correlation_id import correlation_id
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.errors import Code
from app.http.headers import REQUEST_ID_HEADER, SECURITY_HEADERS


class RefusedRequestError(Exception):
    """A request is rejected; the message says what to send instead."""

    def __init__(self, code: Code, message: str = "", headers: Mapping[str, str] | None = None) -> None:
        self.code = code
        self.headers = headers
        super().__init__(message or code.message)


def graphql_error(code: Code, message: str = "", headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return a response with one error.

    Args:
        code: its `extensions.code`, which has a status.
        message: its message; by default the code's own.
        headers: response headers, in addition to the code's.
    """
    return JSONResponse(
        {"errors": [{"message": message or code.message, "extensions": {"code": code}}]},
        status_code=code.status,
        headers={**code.headers, **(headers or {})},
    )


async def http_error(request: Request, error: Exception) -> Response:
    """Respond to an unknown path or a wrong method."""
    assert isinstance(error, HTTPException)
    if error.status_code == Code.METHOD_NOT_ALLOWED.status:
        allowed = sorted(Headers(error.headers)["allow"].split(", "))
        message = f"{request.method[:20]} is not allowed here. Use {' or '.join(allowed)}."
        return graphql_error(Code.METHOD_NOT_ALLOWED, message, {"allow": ", ".join(allowed)})
    return graphql_error(Code.NOT_FOUND, "Unknown path. The API is at /graphql.")


async def internal_server_error(_request: Request, _error: Exception) -> Response:
    """Respond to an unexpected error; Starlette runs this outside of all middleware."""
    headers = {**SECURITY_HEADERS, REQUEST_ID_HEADER: correlation_id.get() or ""}
    return graphql_error(Code.INTERNAL_SERVER_ERROR, headers=headers)
