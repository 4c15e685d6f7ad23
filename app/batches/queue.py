"""The queue of background batches: their stored files and jobs, and the queue's metrics."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries
from sqlalchemy import delete, exists, insert, literal_column, select, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from app.database.engine import Repository, SessionFactory
from app.database.tables import BatchRow, BatchStatus, BatchUploadPartRow, BatchUploadRow
from app.observability.collectors import Refresh, refresher
from app.observability.metrics import Metrics, WaitingWork

CLASSIFY_BATCH = "classify_batch"
"""Entrypoint of the queue's jobs; the payload is the batch ID."""

WORKER_APPLICATION = "genregraph worker"
"""`application_name` of the workers' database connections."""

KEPT_SECONDS: Final = 2.0
"""How long the figures are cached."""

_WAITING = """
SELECT count(*) FILTER (WHERE b.status IN ('QUEUED', 'WAITING')),
    count(*) FILTER (WHERE b.status = 'RUNNING'),
    coalesce(
        extract(epoch FROM now() - min(b.created_at) FILTER (WHERE b.status IN ('QUEUED', 'WAITING'))), 0
    ),
    pg_database_size(current_database())
FROM batch_uploads u JOIN batches b ON b.id = u.batch_id
"""
"""Only unfinished and recently failed batches have an upload, so this is fast for any number of batches."""

_WORKERS = """
SELECT count(*) FROM pg_stat_activity WHERE application_name = :name AND datname = current_database()
"""

_UNFINISHED = [status for status in BatchStatus if not status.is_final]

_WITHOUT_JOB = text("""
    NOT EXISTS (
        SELECT FROM pgqueuer WHERE payload = convert_to(CAST(batch_uploads.batch_id AS text), 'UTF8')
    )
""")

_LOCK_NOT_AVAILABLE = "55P03"


class UploadBusyError(Exception):
    """Another transaction held the lock on an upload for too long."""


class UploadRepository(Repository):
    """Reads and writes stored files."""

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
    ) -> tuple[BatchUploadRow | None, BatchRow | None]:
        """Return the upload of a batch and the batch, locked for this transaction; None if one is missing.

        Raises:
            UploadBusyError: another transaction held the lock for longer than `timeout_seconds`.
        """
        if timeout_seconds is not None:
            await self._session.execute(text(f"SET LOCAL lock_timeout = {round(1000 * timeout_seconds)}"))
        upload = select(BatchUploadRow).where(col(BatchUploadRow.batch_id) == batch_id).with_for_update()
        batch = select(BatchRow).where(col(BatchRow.id) == batch_id).with_for_update()
        try:  # in this order everywhere, so that transactions cannot deadlock
            return await self._session.scalar(upload), await self._session.scalar(batch)
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

    async def remove(self, batch_id: uuid.UUID) -> None:
        """Delete a stored file."""
        await self._session.execute(delete(BatchUploadRow).where(col(BatchUploadRow.batch_id) == batch_id))

    async def remove_finished_before(self, moment: datetime) -> None:
        """Delete the files of batches that ended before a time."""
        ended = exists().where(
            col(BatchRow.id) == col(BatchUploadRow.batch_id),
            col(BatchRow.status).not_in(_UNFINISHED),
            col(BatchRow.finished_at) < moment,
        )
        await self._session.execute(delete(BatchUploadRow).where(ended))

    async def without_job(self) -> Sequence[uuid.UUID]:
        """Return the unfinished batches without a job in the queue."""
        query = (
            select(col(BatchUploadRow.batch_id))
            .join(BatchRow, col(BatchRow.id) == col(BatchUploadRow.batch_id))
            .where(col(BatchRow.status).in_(_UNFINISHED), _WITHOUT_JOB)
            .order_by(literal_column("batch_uploads.stored_at"))
        )
        return (await self._session.scalars(query)).all()


class QueueRepository(Repository):
    """Writes to pgqueuer's tables."""

    async def add(self, batch_id: uuid.UUID) -> None:
        """Queue a batch unless it is already queued."""
        key = str(batch_id)
        queries = Queries(AsyncpgDriver(await self._driver()))
        await queries.enqueue(CLASSIFY_BATCH, key.encode(), dedupe_key=key, on_conflict="skip")

    async def waiting(self) -> WaitingWork:
        """Return the amount of queued work."""
        queued, running, oldest, size = (await self._session.execute(text(_WAITING))).one()
        return WaitingWork(queued, running, float(oldest), await self.workers(), size)

    async def workers(self) -> int:
        """Return the number of connected workers."""
        return int(await self._session.scalar(text(_WORKERS), {"name": WORKER_APPLICATION}) or 0)

    async def delete_log_before(self, days: int) -> None:
        """Delete log entries of jobs that ended more than `days` days ago."""
        statement = "DELETE FROM pgqueuer_log WHERE created < now() - make_interval(days => :days)"
        await self._session.execute(text(statement), {"days": days})


def batch_of_job(payload: bytes | None) -> uuid.UUID:
    """Return the batch ID of a job."""
    assert payload is not None  # `add` always sets it
    return uuid.UUID(payload.decode())


def queue_gauges(sessions: SessionFactory, metrics: Metrics) -> Refresh:
    """Return the gauges of the queue."""

    async def read() -> WaitingWork:
        async with sessions() as session:
            return await QueueRepository(session).waiting()

    return refresher("the queue", KEPT_SECONDS, read, metrics.record_waiting)
