"""The SQL and the connection pool of the Python peers."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

CONNECTIONS: Final = 8
"""The service's default for reads."""

GENRES: Final = "SELECT genre, song_count FROM genre_counts WHERE song_count > 0 ORDER BY genre"

_PAGE: Final = """
    SELECT track_id, title, genre, confidence FROM songs
    WHERE {condition} ORDER BY title, track_id LIMIT {limit}
"""


class Catalogue:
    """Reads songs and genres while `running` is open."""

    pool: asyncpg.Pool

    @asynccontextmanager
    async def running(self, _: object = None) -> AsyncIterator[None]:
        """Connect to the database in `DATABASE_URL`."""
        async with asyncpg.create_pool(
            os.environ["DATABASE_URL"], min_size=CONNECTIONS, max_size=CONNECTIONS
        ) as self.pool:
            yield

    async def genres(self) -> list[asyncpg.Record]:
        """Return all genres with their numbers of songs."""
        rows: list[asyncpg.Record] = await self.pool.fetch(GENRES)
        return rows

    async def page(self, genre: str, first: int, after: str | None) -> tuple[list[asyncpg.Record], bool]:
        """Return a page of a genre's songs, and whether there are more."""
        if after is None:
            sql = _PAGE.format(condition="genre = $1", limit="$2")
            rows = await self.pool.fetch(sql, genre, first + 1)
        else:
            _, title, track_id = base64.b64decode(after).decode().split("\0")
            sql = _PAGE.format(condition="genre = $1 AND (title, track_id) > ($2, $3)", limit="$4")
            rows = await self.pool.fetch(sql, genre, title, int(track_id), first + 1)
        return rows[:first], len(rows) > first


def cursor(row: Any) -> str:
    """Return the cursor of a song in the service's format."""
    return base64.b64encode(f"TITLE\0{row['title']}\0{row['track_id']}".encode()).decode()
