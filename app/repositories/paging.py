"""Keyset pages: a cursor names the last row seen, so that a page costs the same at any depth."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ml.songs import is_storable

Row = TypeVar("Row")


class InvalidCursorError(Exception):
    """A cursor that this service did not give out."""

    def __init__(self, cursor: str) -> None:
        super().__init__(
            f"{cursor[:100]!r} is not a cursor of this list; pass pageInfo.endCursor of its last page"
        )


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows in order, and whether more follow."""

    rows: Sequence[Row]
    has_next_page: bool

    @classmethod
    def of(cls, rows: Sequence[Row], first: int) -> Page[Row]:
        """Make the page of `first` rows out of `first + 1` rows asked for."""
        return cls(rows[:first], len(rows) > first)


def encode_cursor(*key: str) -> str:
    """Return the opaque cursor of a row with this sort key."""
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode()


def decode_cursor(cursor: str, parts: int) -> list[str]:
    """Return the sort key, of `parts` strings, that a cursor holds.

    Raises:
        InvalidCursorError: it is not one of ours.
    """
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
    except (binascii.Error, ValueError, RecursionError):
        raise InvalidCursorError(cursor) from None
    if not isinstance(key, list) or len(key) != parts or not all(isinstance(part, str) for part in key):
        raise InvalidCursorError(cursor)
    if not all(is_storable(part) for part in key):
        raise InvalidCursorError(cursor)
    return key
