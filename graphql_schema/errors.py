"""What clients see of errors: expected ones in full, with a code; the rest masked, and logged here."""

from __future__ import annotations

import structlog
from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.extensions import MaskErrors

from app.repositories.paging import InvalidCursorError
from app.services.errors import InvalidArgumentError, InvalidRequestError, UnknownGenreError

log = structlog.get_logger(__name__)

_CODES: dict[type[Exception], str] = {
    InvalidCursorError: "INVALID_CURSOR",
    InvalidArgumentError: "INVALID_ARGUMENT",
    UnknownGenreError: "UNKNOWN_GENRE",
    InvalidRequestError: "INVALID_REQUEST",
}


class PresentErrors(MaskErrors):
    """Gives every error of a reply its `extensions.code` and hides what nobody expected."""

    def __init__(self) -> None:
        super().__init__(error_message="Something went wrong on our side; the log has the details.")

    def _process_errors(self, errors: list[GraphQLError]) -> list[GraphQLError]:
        return [self._present(error) for error in errors]

    def _present(self, error: GraphQLError) -> GraphQLError:
        cause = error.original_error
        if cause is None or isinstance(cause, GraphQLError):
            return _with_code(error, _request_error_code(error))
        for expected, code in _CODES.items():
            if isinstance(cause, expected):
                return _with_code(error, code)
        log.error("unexpected error", path=error.path, exc_info=cause)
        return _with_code(self.anonymise_error(error), "INTERNAL_SERVER_ERROR")


def _request_error_code(error: GraphQLError) -> str:
    if isinstance(error, GraphQLSyntaxError):
        return "GRAPHQL_PARSE_FAILED"
    return "BAD_USER_INPUT" if error.path else "GRAPHQL_VALIDATION_FAILED"


def _with_code(error: GraphQLError, code: str) -> GraphQLError:
    error.extensions = {"code": code, **(error.extensions or {})}
    return error
