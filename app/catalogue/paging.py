"""Keyset pagination: a cursor contains the last row's key, so a page costs the same at any depth."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from app.catalogue.errors import InvalidArgumentError, InvalidCursorError

MAX_PAGE_SIZE: Final = 1_000

_SEPARATOR: Final = "\0"
"""Separates the parts of a cursor; PostgreSQL cannot store this character."""

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows in order, and whether more follow."""

    rows: Sequence[Row]
    has_next_page: bool

    @classmethod
    def of(cls, rows: Sequence[Row], first: int) -> Page[Row]:
        """Create a page of `first` rows from `first + 1` fetched rows."""
        return cls(rows[:first], len(rows) > first)


def encode_cursor(*key: str) -> str:
    """Return the opaque cursor of a row with this sort key."""
    return binascii.b2a_base64(_SEPARATOR.join(key).encode(), newline=False).decode()


def decode_cursor(cursor: str, *parse: Callable[[str], Any]) -> list[Any]:
    """Return the sort key in a cursor: each part, converted by its function in `parse`.

    These functions raise ValueError for a part that no row can have.

    Raises:
        InvalidCursorError: the cursor is invalid.
    """
    try:
        parts = binascii.a2b_base64(cursor, strict_mode=True).decode().split(_SEPARATOR)
        return [parse_part(part) for parse_part, part in zip(parse, parts, strict=True)]
    except ValueError:
        raise InvalidCursorError(cursor) from None


def check_page_size(first: int) -> None:
    """Check the size of a page.

    Raises:
        InvalidArgumentError: `first` is out of range.
    """
    if not 0 <= first <= MAX_PAGE_SIZE:
        raise InvalidArgumentError("first", f"must be from 0 to {MAX_PAGE_SIZE:,}, not {first}")
