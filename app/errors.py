"""Error codes that clients can receive. docs/errors.md documents them for clients."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Self

RETRY_AFTER_SECONDS: Final = 5
"""How long clients should wait before they retry after a limit or an outage."""


class Code(StrEnum):
    """The `extensions.code` of an error.

    Attributes:
        status: the HTTP status of a response with only this error. A GraphQL response uses it if
            `decides_status`; otherwise 200, or 400 (by media type) if nothing was executed.
    """

    status: int

    def __new__(cls, code: str, status: int) -> Self:
        """Create a member; the arguments are the code and its status."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.status = status
        return member

    # The request was rejected.
    BAD_REQUEST = "BAD_REQUEST", 400
    OPERATION_RESOLUTION_FAILURE = "OPERATION_RESOLUTION_FAILURE", 400
    QUERY_TOO_COMPLEX = "QUERY_TOO_COMPLEX", 400
    UNAUTHENTICATED = "UNAUTHENTICATED", 401
    FORBIDDEN = "FORBIDDEN", 403
    PREFLIGHT_REQUIRED = "PREFLIGHT_REQUIRED", 403
    NOT_FOUND = "NOT_FOUND", 404
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED", 405
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE", 406
    BATCH_NOT_SUCCEEDED = "BATCH_NOT_SUCCEEDED", 409
    RESULTS_GONE = "RESULTS_GONE", 410
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE", 413
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE", 415
    PERSISTED_QUERY_NOT_SUPPORTED = "PERSISTED_QUERY_NOT_SUPPORTED", 200

    # Part of the operation is invalid; other fields may still have data.
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED", 200
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED", 200
    BAD_USER_INPUT = "BAD_USER_INPUT", 200
    INVALID_ARGUMENT = "INVALID_ARGUMENT", 200
    INVALID_CURSOR = "INVALID_CURSOR", 200
    INVALID_REQUEST = "INVALID_REQUEST", 200
    UNKNOWN_GENRE = "UNKNOWN_GENRE", 200

    # Limits and timeouts.
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT", 408
    RATE_LIMITED = "RATE_LIMITED", 429
    TOO_MANY_SUBSCRIPTIONS = "TOO_MANY_SUBSCRIPTIONS", 429
    TOO_MANY_UPLOADS = "TOO_MANY_UPLOADS", 429

    # Server-side failures.
    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR", 500
    UNAVAILABLE = "UNAVAILABLE", 503
    QUERY_TIMEOUT = "QUERY_TIMEOUT", 504
    INSUFFICIENT_STORAGE = "INSUFFICIENT_STORAGE", 507

    @property
    def message(self) -> str:
        """The fixed message; empty if the code has none."""
        return _MESSAGES.get(self, "")

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in {408, 429, 503, 507}

    @property
    def headers(self) -> dict[str, str]:
        """Headers of a response with this error."""
        return {"retry-after": str(RETRY_AFTER_SECONDS)} if self.status in {429, 503} else {}

    @property
    def decides_status(self) -> bool:
        """Whether a GraphQL response with only this error has its status."""
        return self in _DECIDES_STATUS


_MESSAGES: Final = {
    Code.PREFLIGHT_REQUIRED: "A multipart request needs the header GraphQL-Preflight: 1.",
    # Makes Apollo Client and urql resend the full query.
    Code.PERSISTED_QUERY_NOT_SUPPORTED: "PersistedQueryNotSupported",
    Code.INTERNAL_SERVER_ERROR: "Internal server error. The server log has the details.",
    Code.UNAVAILABLE: "The database cannot be reached right now. Try again in a few seconds.",
    Code.QUERY_TIMEOUT: "The database cancelled this operation because it took too long.",
    Code.INSUFFICIENT_STORAGE: "The disk is full; nothing was stored. Try again later.",
}

_DECIDES_STATUS: Final = frozenset(
    {
        Code.INSUFFICIENT_STORAGE,
        Code.METHOD_NOT_ALLOWED,
        Code.NOT_ACCEPTABLE,
        Code.OPERATION_RESOLUTION_FAILURE,
        Code.QUERY_TIMEOUT,
        Code.QUERY_TOO_COMPLEX,
        Code.UNAVAILABLE,
    }
)
