"""What a caller can do wrong. These know nothing of GraphQL; `graphql_schema.errors` translates them."""

from __future__ import annotations

from collections.abc import Sequence


class InvalidRequestError(Exception):
    """A request that cannot be answered as asked; the message says what to change."""


FORBIDDEN_MESSAGE = "Your client may read and not classify; that needs the role writer."


class ForbiddenError(InvalidRequestError):
    """The caller's role does not allow it."""

    def __init__(self, message: str = FORBIDDEN_MESSAGE) -> None:
        super().__init__(message)


class InvalidArgumentError(InvalidRequestError):
    """An argument holds a value that it may not hold."""

    def __init__(self, argument: str, problem: str) -> None:
        self.argument = argument
        super().__init__(f"{argument}: {problem}")


class UnknownGenreError(InvalidRequestError):
    """A genre that neither the stored songs nor the model know."""

    def __init__(self, genre: str, known: Sequence[str]) -> None:
        self.known = list(known)
        super().__init__(f"There is no genre {genre[:100]!r}. Genres: {', '.join(known)}.")
