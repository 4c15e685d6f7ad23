"""Arguments that several fields take, described once."""

from __future__ import annotations

from typing import Annotated

import strawberry

from app.services.catalogue import MAX_PAGE_SIZE

DEFAULT_SONGS = 50
DEFAULT_BATCHES = 20

First = Annotated[
    int | None, strawberry.argument(description=f"How many at most, from 0 to {MAX_PAGE_SIZE:,}.")
]

After = Annotated[
    str | None,
    strawberry.argument(description="Continue behind this cursor: `pageInfo.endCursor` of the page before."),
]
