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
    """Retention periods.

    Attributes:
        files: how long files of failed batches are kept.
        batches: how long finished batches are kept; None to keep them forever.
    """

    files: timedelta
    batches: timedelta | None = None


class Tidying:
    """Cleans up periodically; any worker may run it."""

    def __init__(self, sessions: SessionFactory, claims: Claims, retention: Retention) -> None:
        """Create the service.

        Args:
            sessions: creates database sessions.
            claims: claims of the worker, which may include batches to release.
            retention: retention periods.
        """
        self._sessions = sessions
        self._claims = claims
        self._retention = retention

    async def tidy(self) -> None:
        """Delete expired data, and requeue unfinished batches that have no job."""
        await self._claims.return_waiting()
        now = datetime.now(UTC)
        async with self._sessions.begin() as session:
            await ResultRepository(session).remove_expired(now)
            if self._retention.batches is not None:
                await BatchRepository(session).remove_finished_before(now - self._retention.batches)
        async with self._sessions.begin() as session:
            uploads = UploadRepository(session)
            await uploads.remove_finished_before(now - self._retention.files)
            queue = QueueRepository(session)
            for batch_id in await uploads.without_job():
                log.warning("requeued a batch that had no job", batch_id=str(batch_id))
                await queue.add(batch_id)
            await queue.delete_log_before(LOG_DAYS)
