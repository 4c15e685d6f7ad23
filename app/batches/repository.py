"""SQL for batches, the problems in their files, and the stored files of background batches."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CursorResult, delete, exists, func, literal_column, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.catalogue.paging import Page, decode_cursor, encode_cursor
from app.database.tables import BatchProblemRow, BatchRow, BatchStatus, BatchUploadPartRow, BatchUploadRow


def batch_cursor(batch: BatchRow) -> str:
    """Return the cursor of a batch in the batch list."""
    return encode_cursor(batch.created_at.isoformat(), str(batch.id))


def _utc_time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not UTC:  # PostgreSQL's driver returns UTC; other offsets can exceed its range
        raise ValueError(text)
    return moment


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
            key = decode_cursor(after, _utc_time, uuid.UUID)
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


_UNFINISHED = (BatchStatus.QUEUED, BatchStatus.RUNNING, BatchStatus.WAITING)

_WITHOUT_JOB = text("""
    NOT EXISTS (
        SELECT FROM pgqueuer WHERE payload = convert_to(CAST(batch_uploads.batch_id AS text), 'UTF8')
    )
""")

_LOCK_NOT_AVAILABLE = "55P03"


class UploadBusyError(Exception):
    """Another transaction held the lock on an upload for too long."""


class UploadRepository:
    """Reads and writes stored files in the session's transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, upload: BatchUploadRow) -> None:
        """Insert an upload without parts."""
        self._session.add(upload)
        await self._session.flush()

    async def set_join_key(self, batch_id: uuid.UUID, join_key: str, *, size_bytes: int) -> bool:
        """Complete an upload; return False if another upload has the key, which aborts the transaction.

        Waits for a concurrent transaction that writes the same key.
        """
        statement = (
            update(BatchUploadRow)
            .where(col(BatchUploadRow.batch_id) == batch_id)
            .values(join_key=join_key, size_bytes=size_bytes)
        )
        try:
            await self._session.execute(statement)
        except IntegrityError:
            return False
        return True

    async def batch_of(self, join_key: str) -> BatchRow | None:
        """Return the unfinished batch with this key."""
        query = (
            select(BatchRow)
            .join(BatchUploadRow, col(BatchUploadRow.batch_id) == col(BatchRow.id))
            .where(col(BatchUploadRow.join_key) == join_key)
        )
        return await self._session.scalar(query)

    async def add_part(self, batch_id: uuid.UUID, position: int, data: bytes) -> None:
        """Insert a part of a file; positions start at 0."""
        part = {"batch_id": batch_id, "position": position, "data": data}
        await self._session.execute(insert(BatchUploadPartRow).values(**part))

    async def part(self, batch_id: uuid.UUID, position: int) -> bytes | None:
        """Return a part of a file; None if the part or the file does not exist."""
        query = select(col(BatchUploadPartRow.data)).where(
            col(BatchUploadPartRow.batch_id) == batch_id, col(BatchUploadPartRow.position) == position
        )
        return await self._session.scalar(query)

    async def locked(
        self, batch_id: uuid.UUID, *, timeout_seconds: float | None = None
    ) -> BatchUploadRow | None:
        """Return the upload of a batch, locked for this transaction; None if it does not exist.

        To avoid deadlocks, lock the upload before the batch.

        Raises:
            UploadBusyError: another transaction held the lock for longer than `timeout_seconds`.
        """
        if timeout_seconds is not None:
            await self._session.execute(text(f"SET LOCAL lock_timeout = {round(1000 * timeout_seconds)}"))
        query = select(BatchUploadRow).where(col(BatchUploadRow.batch_id) == batch_id).with_for_update()
        try:
            return await self._session.scalar(query)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
                raise UploadBusyError from None
            raise

    async def terminate_holder(self, batch_id: uuid.UUID) -> bool:
        """Terminate the connection that holds the lock on an upload; return whether there was one."""
        statement = text("""
            SELECT pg_terminate_backend(pid)
            FROM batch_uploads JOIN pg_stat_activity ON backend_xid = batch_uploads.xmax
            WHERE batch_id = :batch_id AND pid <> pg_backend_pid()
        """)
        return bool(await self._session.scalar(statement, {"batch_id": batch_id}))

    async def checkpoint(
        self, batch_id: uuid.UUID, claim: uuid.UUID, *, songs_staged: int, state: dict[str, Any]
    ) -> bool:
        """Save the progress of a batch if the claim still owns it; return whether it does.

        Args:
            batch_id: ID of the batch.
            claim: claim of the worker.
            songs_staged: total number of songs staged.
            state: read position.
        """
        statement = (
            update(BatchUploadRow)
            .where(col(BatchUploadRow.batch_id) == batch_id, col(BatchUploadRow.claim) == claim)
            .values(songs_staged=songs_staged, state=state, attempts=0)
        )
        result = await self._session.execute(statement)
        assert isinstance(result, CursorResult)
        return result.rowcount == 1

    async def remove(self, batch_id: uuid.UUID) -> None:
        """Delete a stored file."""
        await self._session.execute(delete(BatchUploadRow).where(col(BatchUploadRow.batch_id) == batch_id))

    async def remove_finished_before(self, moment: datetime) -> int:
        """Delete the files of batches that ended before a time, and return their number."""
        ended = exists().where(
            col(BatchRow.id) == col(BatchUploadRow.batch_id),
            col(BatchRow.status).not_in(_UNFINISHED),
            col(BatchRow.finished_at) < moment,
        )
        result = await self._session.execute(delete(BatchUploadRow).where(ended))
        assert isinstance(result, CursorResult)
        return result.rowcount

    async def without_job(self) -> Sequence[uuid.UUID]:
        """Return the unfinished batches without a job in the queue."""
        query = (
            select(col(BatchUploadRow.batch_id))
            .join(BatchRow, col(BatchRow.id) == col(BatchUploadRow.batch_id))
            .where(col(BatchRow.status).in_(_UNFINISHED), _WITHOUT_JOB)
            .order_by(literal_column("batch_uploads.stored_at"))
        )
        return (await self._session.scalars(query)).all()
