"""Helpers shared by connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from strawberry import relay

from app.catalogue.paging import Page

Row = TypeVar("Row")


def page_info(page: Page[Row], after: str | None, cursor: Callable[[Row], str]) -> relay.PageInfo:
    """Return the PageInfo of a forward page that starts after `after`."""
    return relay.PageInfo(
        has_next_page=page.has_next_page,
        has_previous_page=after is not None,
        start_cursor=cursor(page.rows[0]) if page.rows else None,
        end_cursor=cursor(page.rows[-1]) if page.rows else None,
    )
