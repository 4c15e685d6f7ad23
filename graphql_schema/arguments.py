"""Arguments shared by several fields."""

from __future__ import annotations

from typing import Annotated

import strawberry

from app.catalogue.errors import InvalidArgumentError
from app.catalogue.paging import MAX_PAGE_SIZE
from ml.songs.contract import MAX_TRACK_ID

DEFAULT_SONGS = 50
DEFAULT_BATCHES = 20

First = Annotated[
    int | None, strawberry.argument(description=f"The maximum number to return, from 0 to {MAX_PAGE_SIZE:,}.")
]

After = Annotated[
    str | None,
    strawberry.argument(
        description="Return items after this cursor: `pageInfo.endCursor` of the previous page."
    ),
]


def track_id_of(argument: str, text: str) -> int:
    """Return a track ID as a number.

    Raises:
        InvalidArgumentError: it is not a valid track ID; the message names `argument`.
    """
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_TRACK_ID))
    if not is_number or int(text) > MAX_TRACK_ID:
        raise InvalidArgumentError(argument, f"must be a whole number from 0 to {MAX_TRACK_ID}")
    return int(text)
