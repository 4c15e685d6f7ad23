"""Database errors without the values that they are about: they are logged, and values are rows of uploads."""

from __future__ import annotations

import re
from typing import Final

import asyncpg

_VALUE: Final = re.compile(r"(invalid input for query argument \$\d+).*", re.DOTALL)
"""What asyncpg itself says of a parameter that it cannot send, and then the parameter."""


def leave_values_out() -> None:
    """Let the texts of asyncpg's errors end before PostgreSQL's DETAIL (`Failing row contains (…)`).

    The detail stays an attribute. Everything that writes an error, tracebacks included, asks for its text.
    """
    asyncpg.PostgresError.__str__ = _text
    asyncpg.InterfaceError.__str__ = _text


def _text(error: Exception) -> str:
    return _VALUE.sub(r"\1", str(error.args[0])) if error.args else ""
