"""Delete expired data, and requeue batches that have no job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from app.batches.claims import Claims
from app.batches.queue import QueueRepository
from app.batches.repository import BatchRepository, UploadRepository
from app.batches.results import ResultRepository
from app.database.engine import SessionFactory

LOG_DAYS = 7
"""Retention of the queue's log, in days."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Retention:
    """Cleans up periodically; any worker may run it.

    Attributes:
        sessions: creates database sessions.
        claims: claims of the worker, which may include batches to release.
        files: how long files of failed batches are kept.
        batches: how long finished batches are kept; None to keep them forever.
    """

    sessions: SessionFactory
    claims: Claims
    files: timedelta
    batches: timedelta | None

    async def apply(self) -> None:
        """Delete expired data, and requeue unfinished batches that have no job."""
        await self.claims.return_waiting()
        now = datetime.now(UTC)
        async with self.sessions.begin() as session:
            await ResultRepository(session).remove_expired(now)
            if self.batches is not None:
                await BatchRepository(session).remove_finished_before(now - self.batches)
        async with self.sessions.begin() as session:
            uploads = UploadRepository(session)
            await uploads.remove_finished_before(now - self.files)
            queue = QueueRepository(session)
            for batch_id in await uploads.without_job():
                log.warning("requeued a batch that had no job", batch_id=str(batch_id))
                await queue.add(batch_id)
            await queue.delete_log_before(LOG_DAYS)
