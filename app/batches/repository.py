"""SQL for batches and the problems in their files."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, func, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.catalogue.errors import InvalidCursorError
from app.catalogue.paging import Page, decode_cursor, encode_cursor
from app.database.tables import BatchProblemRow, BatchRow


def batch_cursor(batch: BatchRow) -> str:
    """Return the cursor of a batch in the batch list."""
    return encode_cursor(batch.created_at.isoformat(), str(batch.id))


class BatchRepository:
    """Reads and writes batches in the session's transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, batch: BatchRow) -> None:
        """Insert a batch; later changes to it are written when the transaction commits."""
        self._session.add(batch)
        await self._session.flush()

    async def add_problems(self, problems: Iterable[BatchProblemRow]) -> None:
        """Insert the problems of a batch's file."""
        self._session.add_all(problems)
        await self._session.flush()

    async def page(self, first: int, after: str | None, client_id: str | None) -> Page[BatchRow]:
        """Return `first` batches of a client, or of all clients, newest first, after the cursor `after`.

        Raises:
            InvalidCursorError: `after` is not a cursor of the batch list.
        """
        query = select(BatchRow).order_by(col(BatchRow.created_at).desc(), col(BatchRow.id).desc())
        if client_id is not None:
            query = query.where(col(BatchRow.client_id) == client_id)
        if after is not None:
            created_at, batch_id = decode_cursor(after, parts=2)
            try:
                key = (datetime.fromisoformat(created_at), uuid.UUID(batch_id))
            except ValueError:
                raise InvalidCursorError(after) from None
            if key[0].tzinfo is None:
                raise InvalidCursorError(after)
            query = query.where(tuple_(col(BatchRow.created_at), col(BatchRow.id)) < tuple_(*key))
        rows = (await self._session.scalars(query.limit(first + 1))).all()
        return Page.of(rows, first)

    async def count(self, client_id: str | None) -> int:
        """Return the number of batches of a client, or of all clients."""
        query = select(func.count()).select_from(BatchRow)
        if client_id is not None:
            query = query.where(col(BatchRow.client_id) == client_id)
        return int(await self._session.scalar(query) or 0)

    async def by_ids(self, batch_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, BatchRow]:
        """Return the existing batches by ID."""
        query = select(BatchRow).where(col(BatchRow.id).in_(list(batch_ids)))
        return {batch.id: batch for batch in await self._session.scalars(query)}

    async def locked(self, batch_id: uuid.UUID) -> BatchRow | None:
        """Return the current state of a batch, locked for this transaction."""
        query = (
            select(BatchRow)
            .where(col(BatchRow.id) == batch_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return await self._session.scalar(query)

    async def note_progress(self, batch_id: uuid.UUID, rows_processed: int, drift: dict[str, int]) -> None:
        """Update the number of processed rows and the drift of an unfinished batch."""
        statement = (
            update(BatchRow)
            .where(col(BatchRow.id) == batch_id)
            .values(rows_processed=rows_processed, drift=drift)
        )
        await self._session.execute(statement)

    async def remove(self, batch_id: uuid.UUID) -> None:
        """Delete a batch and everything that belongs to it except its songs."""
        await self._session.execute(delete(BatchRow).where(col(BatchRow.id) == batch_id))

    async def remove_finished_before(self, moment: datetime) -> None:
        """Delete batches that ended before a time, and everything that belongs to them except their songs."""
        # The counting trigger `follow_songs` updates several batches under this lock.
        await self._session.execute(text("SELECT pg_advisory_xact_lock(hashtext('genregraph.genre_counts'))"))
        await self._session.execute(delete(BatchRow).where(col(BatchRow.finished_at) < moment))

    async def problems(self, batch_id: uuid.UUID, first: int) -> Sequence[BatchProblemRow]:
        """Return the first problems of a batch, in file order."""
        query = (
            select(BatchProblemRow)
            .where(col(BatchProblemRow.batch_id) == batch_id)
            .order_by(col(BatchProblemRow.position))
            .limit(first)
        )
        return (await self._session.scalars(query)).all()
