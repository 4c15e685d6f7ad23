"""Errors as clients see them: expected ones with a code; unexpected ones logged and masked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import structlog
from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.schema.exceptions import CannotGetOperationTypeError

from app.catalogue.errors import (
    ForbiddenError,
    InvalidArgumentError,
    InvalidCursorError,
    InvalidRequestError,
    UnknownGenreError,
)
from app.database.errors import is_disk_full, is_outage, is_read_only, is_statement_timeout
from app.errors import Code

log = structlog.get_logger(__name__)

_READ_ONLY = "The database is not accepting writes. Try again in a few seconds."

_DATABASE_CODES: Sequence[tuple[Callable[[BaseException], bool], Code]] = (
    (is_disk_full, Code.INSUFFICIENT_STORAGE),
    (is_statement_timeout, Code.QUERY_TIMEOUT),
    (is_outage, Code.UNAVAILABLE),
)

_MAX_NAME_LENGTH = 40

_NO_GLOBAL_ID = "Value cannot represent a GlobalID"
"""The start of Strawberry's message, which repeats the entire value and does not say what is required."""

_SUGGESTION = re.compile(r" Did you mean .*", re.DOTALL)

_CODES: dict[type[Exception], Code] = {
    InvalidCursorError: Code.INVALID_CURSOR,
    InvalidArgumentError: Code.INVALID_ARGUMENT,
    UnknownGenreError: Code.UNKNOWN_GENRE,
    ForbiddenError: Code.FORBIDDEN,
    InvalidRequestError: Code.INVALID_REQUEST,
}


class RefusedOperationError(CannotGetOperationTypeError):
    """The document has no operation to run, or the kind of request does not support it.

    Derived from Strawberry's error, the only one that its streams report before an operation starts.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(None)
        self.code = code
        self._message = message

    def __str__(self) -> str:
        return self._message

    as_http_error_reason = __str__


def prepare_errors(errors: Iterable[GraphQLError], *, suggestions: bool) -> None:
    """Add codes to errors that are about to be sent, and remove suggestions of names unless allowed.

    Unexpected errors are logged and masked, because their messages may contain anything.
    """
    for error in errors:
        cause = error.original_error
        if not suggestions and isinstance(cause, GraphQLError | None):
            # Strawberry does not remove suggestions for arguments, input fields, values and types.
            error.message = _SUGGESTION.sub("", error.message)
        if error.message.startswith(_NO_GLOBAL_ID):
            error.message = "The value is not an ID of this API. Pass the `id` of a `Batch` or `Song`."
        code = code_of(error)
        if code is Code.INTERNAL_SERVER_ERROR:
            log.error("unexpected error", path=_place(error), exc_info=cause)
            error.message, error.extensions = code.message, {}
        elif code.message:
            log.warning("operation failed", code=code, path=_place(error), error=repr(cause))
            error.message = _READ_ONLY if cause is not None and is_read_only(cause) else code.message
        error.extensions = {"code": code, **(error.extensions or {})}


def _place(error: GraphQLError) -> str:
    """Return the path of an error for the log, with names truncated, as aliases are client input."""
    return ".".join(str(key)[:_MAX_NAME_LENGTH] for key in error.path or ())


def code_of(error: GraphQLError) -> Code:
    """Return the code of an error."""
    cause = error.original_error
    if cause is None or isinstance(cause, GraphQLError):
        if isinstance(error, GraphQLSyntaxError):
            return Code.GRAPHQL_PARSE_FAILED
        return Code.BAD_USER_INPUT if error.path else Code.GRAPHQL_VALIDATION_FAILED
    if isinstance(cause, RefusedOperationError):
        return cause.code
    by_type = (code for type_, code in _CODES.items() if isinstance(cause, type_))
    by_check = (code for check, code in _DATABASE_CODES if check(cause))
    return next(chain(by_type, by_check), Code.INTERNAL_SERVER_ERROR)
