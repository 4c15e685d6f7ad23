"""Errors that the user of a command can act on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # commands import this module before they need pydantic
    from pydantic import ValidationError


class UserError(Exception):
    """An error whose message says what is wrong, where, and what to do.

    A command that raises it prints the message and ends with `exit_code`.
    """

    exit_code: int = 1


class UsageError(UserError):
    """The arguments are unusable: a missing input, or an output that must not be replaced."""

    exit_code = 2


class UnreachableError(UserError):
    """A server that the command needs cannot be reached, or the connection was lost."""

    exit_code = 3


def first_problem(error: ValidationError) -> str:
    """Return where the first problem of a document is, and what it is, in one line."""
    first = error.errors()[0]
    return ": ".join(filter(None, [".".join(map(str, first["loc"])), first["msg"]]))
