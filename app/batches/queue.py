"""The queue of background batches, and its metrics; jobs are queued in the session's transaction."""

from __future__ import annotations

import uuid
from typing import Any, Final

from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.database.engine import SessionFactory
from app.observability.database_gauges import DatabaseGauges
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


class QueueRepository:
    """Writes to pgqueuer's tables."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, batch_id: uuid.UUID) -> None:
        """Queue a batch unless it is already queued."""
        connection = await (await self._session.connection()).get_raw_connection()
        driver: Any = connection.driver_connection
        key = str(batch_id)
        queries = Queries(AsyncpgDriver(driver))
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


class WorkWaiting(DatabaseGauges):
    """The gauges of the queue."""

    def __init__(self, sessions: SessionFactory, metrics: Metrics) -> None:
        super().__init__("the queue", KEPT_SECONDS)
        self._sessions = sessions
        self._metrics = metrics

    async def _update(self) -> None:
        async with self._sessions() as session:
            self._metrics.record_waiting(await QueueRepository(session).waiting())

    def _clear(self) -> None:
        self._metrics.record_waiting(None)
