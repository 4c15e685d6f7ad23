"""Errors caused by the caller, independent of GraphQL; `graphql_schema.errors` maps them."""

from __future__ import annotations

from collections.abc import Sequence


class InvalidRequestError(Exception):
    """The request cannot be executed; the message says what to change."""


FORBIDDEN_MESSAGE = "This client is read-only; changing what is stored requires the writer role."


class ForbiddenError(InvalidRequestError):
    """The caller's role does not allow this."""

    def __init__(self, message: str = FORBIDDEN_MESSAGE) -> None:
        super().__init__(message)


class InvalidArgumentError(InvalidRequestError):
    """The value of an argument is not allowed."""

    def __init__(self, argument: str, problem: str) -> None:
        self.argument = argument
        super().__init__(f"{argument}: {problem}")


_MAX_SHOWN = 20
"""Genres in a message: a catalogue may have hundreds of verified ones."""


class UnknownGenreError(InvalidRequestError):
    """Neither the catalogue nor the model has this genre."""

    def __init__(self, genre: str, known: Sequence[str]) -> None:
        shown = ", ".join(known[:_MAX_SHOWN])
        more = f" and {len(known) - _MAX_SHOWN:,} more" if len(known) > _MAX_SHOWN else ""
        super().__init__(f"Unknown genre {genre[:100]!r}. Known genres: {shown}{more}.")


class InvalidCursorError(Exception):
    """The cursor does not belong to this list."""

    def __init__(
        self,
        cursor: str,
        problem: str = "is not a valid cursor for this list; pass pageInfo.endCursor of the previous page",
    ) -> None:
        super().__init__(f"{cursor[:100]!r} {problem}")
