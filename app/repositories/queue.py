"""The queue of background batches, in the session's transaction: what is rolled back was never queued."""

from __future__ import annotations

import uuid
from typing import Any

from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.metrics.waiting_work import WaitingWork

CLASSIFY_BATCH = "classify_batch"
"""Name of the queue's only kind of job; its payload is the batch's id."""


WORKER_APPLICATION = "genregraph worker"
"""By this name the database knows the connections of workers."""

_WAITING = """
SELECT count(*) FILTER (WHERE b.status = 'QUEUED'), count(*) FILTER (WHERE b.status = 'RUNNING'),
    coalesce(extract(epoch FROM now() - min(b.created_at) FILTER (WHERE b.status = 'QUEUED')), 0)
FROM batch_uploads u JOIN batches b ON b.id = u.batch_id
"""
"""Only unfinished batches, and few of those that failed, have an upload: however many there were."""

_WORKERS = """
SELECT count(*) FROM pg_stat_activity WHERE application_name = :name AND datname = current_database()
"""


class QueueRepository:
    """Writes to pgqueuer's tables."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, batch_id: uuid.UUID) -> None:
        """Queue a batch, unless it is."""
        connection = await (await self._session.connection()).get_raw_connection()
        driver: Any = connection.driver_connection
        key = str(batch_id)
        queries = Queries(AsyncpgDriver(driver))
        await queries.enqueue(CLASSIFY_BATCH, key.encode(), dedupe_key=key, on_conflict="skip")

    async def waiting(self) -> WaitingWork:
        """Return how much waits."""
        queued, running, oldest = (await self._session.execute(text(_WAITING))).one()
        return WaitingWork(queued, running, float(oldest), await self.workers())

    async def workers(self) -> int:
        """Return how many workers are connected."""
        return int(await self._session.scalar(text(_WORKERS), {"name": WORKER_APPLICATION}) or 0)

    async def forget_log_before(self, days: int) -> None:
        """Delete the queue's log entries of jobs that ended so many days ago."""
        statement = "DELETE FROM pgqueuer_log WHERE created < now() - make_interval(days => :days)"
        await self._session.execute(text(statement), {"days": days})


def batch_of_job(payload: bytes | None) -> uuid.UUID:
    """Return the id of the batch that a job is for."""
    assert payload is not None  # `add` always gives one
    return uuid.UUID(payload.decode())
