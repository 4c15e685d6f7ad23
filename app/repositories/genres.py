"""Genres and how many songs each has, from the counts that triggers keep."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.database.tables import GenreCountRow


class GenreRepository:
    """Reads genres in the session's transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def song_counts(self) -> dict[str, int]:
        """Return the genres that songs are stored of, by name, with how many."""
        query = (
            select(GenreCountRow).where(col(GenreCountRow.song_count) > 0).order_by(col(GenreCountRow.genre))
        )
        return {row.genre: row.song_count for row in await self._session.scalars(query)}
