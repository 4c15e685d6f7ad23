"""The base of errors that the user of a command can act on."""

from __future__ import annotations


class UserError(Exception):
    """An error whose message says what is wrong, where, and what to do.

    A command that raises it prints the message and ends with `exit_code`.
    """

    exit_code: int = 1
