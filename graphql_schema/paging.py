"""Arguments and information of pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

import strawberry
from strawberry import relay

from app.catalogue.errors import InvalidArgumentError
from app.catalogue.paging import MAX_PAGE_SIZE, Page

Row = TypeVar("Row")

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


def checked_first(first: int | None, default: int, maximum: int) -> int:
    """Return how many items of a list without cursors to return.

    Raises:
        InvalidArgumentError: it is out of range.
    """
    wanted = default if first is None else first
    if not 0 <= wanted <= maximum:
        raise InvalidArgumentError("first", f"must be from 0 to {maximum}, not {wanted}")
    return wanted


def page_info(page: Page[Row], after: str | None, cursor: Callable[[Row], str]) -> relay.PageInfo:
    """Return the PageInfo of a forward page that starts after `after`."""
    return relay.PageInfo(
        has_next_page=page.has_next_page,
        has_previous_page=after is not None,
        start_cursor=cursor(page.rows[0]) if page.rows else None,
        end_cursor=cursor(page.rows[-1]) if page.rows else None,
    )
