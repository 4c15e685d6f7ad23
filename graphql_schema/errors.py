"""What clients see of errors: expected ones in full, with a code; the rest masked, and logged here."""

from __future__ import annotations

import re

import strawberry
import structlog
from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.extensions import MaskErrors
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionContext

from app.database.outage import is_disk_full, is_outage
from app.repositories.paging import InvalidCursorError
from app.services.errors import ForbiddenError, InvalidArgumentError, InvalidRequestError, UnknownGenreError

log = structlog.get_logger(__name__)

INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"
UNAVAILABLE = "UNAVAILABLE"
INSUFFICIENT_STORAGE = "INSUFFICIENT_STORAGE"

_MESSAGES = {
    UNAVAILABLE: "The database cannot be reached right now. Try again in a few seconds.",
    INSUFFICIENT_STORAGE: "The disk is full, and nothing was stored. Try again when there is room.",
}

_MAX_NAME_LENGTH = 40

_SUGGESTION = re.compile(r" Did you mean .*", re.DOTALL)

_CODES: dict[type[Exception], str] = {
    InvalidCursorError: "INVALID_CURSOR",
    InvalidArgumentError: "INVALID_ARGUMENT",
    UnknownGenreError: "UNKNOWN_GENRE",
    ForbiddenError: "FORBIDDEN",
    InvalidRequestError: "INVALID_REQUEST",
    # Raised in a streamed answer alone; elsewhere Strawberry makes them a 400.
    CannotGetOperationTypeError: "BAD_REQUEST",
    InvalidOperationTypeError: "BAD_REQUEST",
}


class CodedSchema(strawberry.Schema):
    """A schema that gives every error its `extensions.code` and logs those that nobody expected."""

    def process_errors(
        self,
        errors: list[GraphQLError],
        execution_context: ExecutionContext | None = None,  # noqa: ARG002  (Strawberry's signature)
    ) -> None:
        """Note the code on each error; Strawberry calls it before its extensions see them."""
        for error in errors:
            ours = isinstance(error.original_error, GraphQLError | None)
            if ours and self.config.disable_field_suggestions:
                # Strawberry leaves the suggestions of arguments, input fields, values and types.
                error.message = _SUGGESTION.sub("", error.message)
            code = _code(error)
            error.extensions = {"code": code, **(error.extensions or {})}
            if code == INTERNAL_SERVER_ERROR:
                log.error("unexpected error", path=_place(error), exc_info=error.original_error)
            elif code in _MESSAGES:
                log.warning("not served", code=code, path=_place(error), error=repr(error.original_error))
                error.message = _MESSAGES[code]


class MaskUnexpectedErrors(MaskErrors):
    """Hides from clients what nobody expected: its text may hold anything."""

    def __init__(self) -> None:
        super().__init__(
            should_mask_error=lambda error: _code(error) == INTERNAL_SERVER_ERROR,
            error_message="Something went wrong on our side; the log has the details.",
        )

    def anonymise_error(self, error: GraphQLError) -> GraphQLError:
        """Keep the place and the code, drop the rest."""
        masked = super().anonymise_error(error)
        masked.extensions = {"code": INTERNAL_SERVER_ERROR}
        return masked


def _place(error: GraphQLError) -> str:
    """Return where an error happened, for the log; an alias in it may be any text."""
    return ".".join(str(key)[:_MAX_NAME_LENGTH] for key in error.path or ())


def _code(error: GraphQLError) -> str:
    cause = error.original_error
    if cause is None or isinstance(cause, GraphQLError):
        if isinstance(error, GraphQLSyntaxError):
            return "GRAPHQL_PARSE_FAILED"
        return "BAD_USER_INPUT" if error.path else "GRAPHQL_VALIDATION_FAILED"
    for expected, code in _CODES.items():
        if isinstance(cause, expected):
            return code
    if is_disk_full(cause):
        return INSUFFICIENT_STORAGE
    return UNAVAILABLE if is_outage(cause) else INTERNAL_SERVER_ERROR
