"""Errors from outside the schema in the shape that GraphQL clients read."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

RETRY_AFTER = {"retry-after": "5"}
"""When to ask again, in seconds, while the database is away."""

UNAVAILABLE_MESSAGE = "The database cannot be reached right now. Try again in a few seconds."

GRAPHQL_RESPONSE = "application/graphql-response+json"


def graphql_error(
    status_code: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return a response with one error that has `extensions.code`."""
    return JSONResponse(
        {"errors": [{"message": message, "extensions": {"code": code}}]},
        status_code=status_code,
        headers=headers,
    )
