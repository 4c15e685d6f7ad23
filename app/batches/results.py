"""Results of batches, stored unchanged until they expire."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, literal_column, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.batches.song_parts import PackedPart, SongPart, unpack_answers
from app.database.engine import SessionFactory, reading
from app.database.tables import BatchResultPartRow, BatchRow

_PARTS_PER_READ = 4
"""Parts per database read. No connection is held between reads, so slow clients do not block the pool."""

_EXCLUDE = text("""
    UPDATE batch_result_parts AS kept SET left_out = excluded.ordinals
    FROM (
        SELECT part, array_agg(ordinal ORDER BY ordinal) AS ordinals
        FROM unnest(CAST(:ordinals AS bigint[])) AS left_out (ordinal)
        CROSS JOIN LATERAL (
            SELECT max(first_ordinal) AS part FROM batch_result_parts
            WHERE batch_id = CAST(:batch_id AS uuid) AND first_ordinal <= ordinal
        ) AS holder
        GROUP BY part
    ) AS excluded
    WHERE batch_id = CAST(:batch_id AS uuid) AND first_ordinal = excluded.part
""")


class ResultsGoneError(Exception):
    """The results of a batch were deleted while being read."""


class ResultRepository:
    """Reads and writes results in the session's transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, batch_id: uuid.UUID, packed: PackedPart) -> None:
        """Insert a part."""
        part = {
            "first_ordinal": packed.part.first_ordinal,
            "songs": packed.answers,
            "features": packed.features,
        }
        await self._session.execute(insert(BatchResultPartRow).values(batch_id=batch_id, **part))

    async def exclude(self, batch_id: uuid.UUID, ordinals: Sequence[int]) -> None:
        """Mark songs of a batch as not stored."""
        if ordinals:
            await self._session.execute(_EXCLUDE, {"batch_id": str(batch_id), "ordinals": ordinals})

    async def parts_after(
        self, batch_id: uuid.UUID, ordinal: int, limit: int, *, features: bool = False
    ) -> Sequence[Row[Any]]:
        """Return the next parts of a batch after an ordinal: their columns, `features` only if requested."""
        part = BatchResultPartRow
        columns: list[Any] = [part.first_ordinal, part.songs, part.left_out]
        query = (
            select(*columns, *([part.features] if features else []))
            .where(col(part.batch_id) == batch_id, col(part.first_ordinal) > ordinal)
            .order_by(col(part.first_ordinal))
            .limit(limit)
        )
        return (await self._session.execute(query)).all()

    async def drop_features(self, batch_id: uuid.UUID) -> None:
        """Delete the features from a batch's parts, as they are now stored with the songs."""
        part = BatchResultPartRow
        statement = (
            update(part)
            .where(col(part.batch_id) == batch_id, col(part.features).is_not(None))
            .values(features=None)
        )
        await self._session.execute(statement)

    async def remove(self, batch_id: uuid.UUID) -> None:
        """Delete the parts of a batch."""
        await self._session.execute(
            delete(BatchResultPartRow).where(col(BatchResultPartRow.batch_id) == batch_id)
        )

    async def remove_expired(self, moment: datetime) -> None:
        """Delete the results of batches that expire at or before a time."""
        ended = select(col(BatchRow.id)).where(col(BatchRow.results_until) <= moment)
        await self._session.execute(delete(BatchResultPartRow).where(literal_column("batch_id").in_(ended)))


@dataclass(frozen=True, slots=True)
class Results:
    """Reads the results of batches.

    Attributes:
        sessions: creates database sessions.
        read_timeout_seconds: timeout of each database read.
    """

    sessions: SessionFactory
    read_timeout_seconds: float

    async def parts(self, batch: BatchRow) -> AsyncGenerator[tuple[SongPart, Sequence[int]], None]:
        """Yield the songs of a successful batch in order, part by part.

        Yields:
            Each part, with the ordinals of songs to exclude because a later row repeats their track ID.

        Raises:
            ResultsGoneError: the results were deleted in the meantime, so the songs are incomplete.
        """
        ordinal, songs = -1, 0
        while True:
            async with reading(self.sessions, self.read_timeout_seconds) as session:
                rows = await ResultRepository(session).parts_after(batch.id, ordinal, _PARTS_PER_READ)
            for row in rows:
                part = unpack_answers(row.songs, row.first_ordinal)
                ordinal = row.first_ordinal
                left_out = row.left_out or ()
                songs += len(part) - len(left_out)
                yield part, left_out
            if len(rows) < _PARTS_PER_READ:
                break
        if songs != batch.rows_classified:
            raise ResultsGoneError
