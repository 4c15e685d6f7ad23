"""Claims: which worker owns a batch.

Every transaction locks the batch and checks that this worker still owns it.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from app.batches.classifier import Drift
from app.batches.pipeline import end, record_end, set_counts
from app.batches.queue import UploadBusyError, UploadRepository
from app.batches.repository import BatchRepository, ResultRepository
from app.batches.stored_songs import ReadSongs
from app.database.engine import SessionFactory
from app.database.errors import is_conflict, is_disk_full, is_outage, is_read_only
from app.database.tables import BatchRow, BatchStatus, BatchUploadRow
from app.observability.metrics import Metrics
from ml.songs.csv_songs import SongFileState
from ml.songs.problems import InvalidSongFileError

MAX_ATTEMPTS = 3
"""Maximum consecutive failed attempts at a batch without progress."""

BUSY_SECONDS = 5.0
"""How long to wait for another transaction to release a batch that the queue assigned to this worker."""

_FAILED = (
    f"Processing failed {MAX_ATTEMPTS} times in a row at the same point. "
    "Ask the operators to check the log, then send the file again."
)
_WORKER_DIED = (
    f"The worker crashed {MAX_ATTEMPTS} times in a row at the same point. "
    "Ask the operators to check the log, or try smaller files."
)

log = structlog.get_logger(__name__)


class LostBatchError(Exception):
    """This worker no longer owns the batch: it was cancelled or assigned to another worker."""


@dataclass(slots=True)
class Work:
    """A batch owned by this worker.

    Attributes:
        batch: its row when it was claimed.
        upload: its upload when it was claimed; `upload.claim` marks this worker as the owner.
        state: read position after the songs kept when it was claimed.
        drift: how many of the songs kept so far are outside the training range.
    """

    batch: BatchRow
    upload: BatchUploadRow
    state: SongFileState | ReadSongs
    drift: Drift


@dataclass(slots=True)
class Claims:
    """Claims and releases batches for one worker, whose model has this version."""

    sessions: SessionFactory
    metrics: Metrics
    model_version: str
    _interrupted: dict[uuid.UUID, tuple[Work, str]] = field(default_factory=dict, init=False)

    async def take(self, batch_id: uuid.UUID) -> Work | None:
        """Claim a batch that the queue assigned to this worker; None if there is nothing to do.

        A previous worker may still hold the lock, if it is unresponsive; its transaction is then terminated.
        """
        try:
            return await self._take(batch_id)
        except UploadBusyError:
            async with self.sessions.begin() as session:
                if await UploadRepository(session).terminate_holder(batch_id):
                    log.warning(
                        "terminated the transaction of an unresponsive worker", batch_id=str(batch_id)
                    )
        return await self._take(batch_id)

    @asynccontextmanager
    async def owned(
        self, work: Work, *, timeout_seconds: float | None = None
    ) -> AsyncIterator[tuple[AsyncSession, BatchUploadRow, BatchRow]]:
        """Yield a transaction's session, and the upload and the batch, locked for this transaction.

        Raises:
            LostBatchError: this worker no longer owns the batch.
        """
        async with self.sessions.begin() as session:
            uploads = UploadRepository(session)
            upload, batch = await uploads.locked(work.batch.id, timeout_seconds=timeout_seconds)
            if upload is None or batch is None or upload.claim != work.upload.claim:
                raise LostBatchError
            yield session, upload, batch

    async def hand_over(self, work: Work) -> None:
        """Release a batch because the worker is stopping; the attempt does not count."""
        with suppress(LostBatchError):
            async with self.owned(work) as (_, upload, _):
                _discard_attempt(upload)

    async def mark_waiting(self, work: Work, reason: str, error: Exception) -> None:
        """Mark a batch as waiting; if the database is unavailable, this is recorded later."""
        log.warning("batch waits", batch_id=str(work.batch.id), reason=reason, error=repr(error))
        self._interrupted[work.batch.id] = work, reason
        try:
            await self.release_interrupted()
        except Exception as further:  # noqa: BLE001 - the batch waits after any error
            log.warning(
                "could not record the waiting batch yet", batch_id=str(work.batch.id), error=repr(further)
            )

    async def release_interrupted(self) -> None:
        """Release batches that an outage interrupted; these attempts do not count."""
        for batch_id, (work, reason) in list(self._interrupted.items()):
            with suppress(LostBatchError):
                async with self.owned(work, timeout_seconds=BUSY_SECONDS) as (_, upload, batch):
                    _discard_attempt(upload)
                    batch.status = BatchStatus.WAITING
                    batch.waiting_reason = reason
            self._interrupted.pop(batch_id, None)

    async def reject(self, work: Work, error: InvalidSongFileError) -> None:
        """Fail a batch whose file is invalid, and delete the file."""
        with suppress(LostBatchError):
            async with self.owned(work) as (session, upload, batch):
                set_counts(batch, error.report)
                await self._fail(session, upload, batch, str(error))
                await BatchRepository(session).add_problems(batch.id, error.report.problems)
                await UploadRepository(session).remove(batch.id)

    async def record_failure(self, work: Work, error: Exception) -> None:
        """Fail the batch if this was the last attempt."""
        log.warning("batch processing failed", batch_id=str(work.batch.id), exc_info=error)
        try:
            async with self.owned(work) as (session, upload, batch):
                if upload.attempts >= MAX_ATTEMPTS:
                    await self._fail(session, upload, batch, _FAILED)
        except LostBatchError:
            pass
        except Exception as further:  # noqa: BLE001  (another worker retries the batch)
            log.warning("could not record the failure", batch_id=str(work.batch.id), error=repr(further))

    async def _take(self, batch_id: uuid.UUID) -> Work | None:
        async with self.sessions.begin() as session:
            upload, batch = await UploadRepository(session).locked(batch_id, timeout_seconds=BUSY_SECONDS)
            if upload is None or batch is None or BatchStatus(batch.status).is_final:
                return None
            if upload.attempts >= MAX_ATTEMPTS:
                await self._fail(session, upload, batch, _WORKER_DIED)
                return None
            state = self._state(upload, batch)
            if state is None and upload.songs_staged:
                # Another model classified these songs, or the state has an unknown format.
                await ResultRepository(session).remove(batch_id)
                upload.songs_staged = batch.rows_processed = 0
                upload.state = batch.drift = None
            upload.attempts += 1
            upload.claim = uuid.uuid4()
            batch.status = BatchStatus.RUNNING
            batch.waiting_reason = None
            batch.started_at = batch.started_at or datetime.now(UTC)
            batch.model_version = self.model_version
            if state is None:
                state = SongFileState() if batch.selection is None else ReadSongs()
            return Work(batch, upload, state, Counter(batch.drift))

    def _state(self, upload: BatchUploadRow, batch: BatchRow) -> SongFileState | ReadSongs | None:
        """Return the read position; None to start from the beginning."""
        if upload.state is None or batch.model_version != self.model_version:
            return None
        try:
            if batch.selection is None:
                return SongFileState.from_json(upload.state)
            return ReadSongs(**upload.state)
        except (ValidationError, TypeError):
            return None

    async def _fail(
        self, session: AsyncSession, upload: BatchUploadRow, batch: BatchRow, reason: str
    ) -> None:
        """Fail a batch; its file is kept for a while, but the same file may be sent again."""
        upload.join_key = None
        end(batch, BatchStatus.FAILED, reason)
        record_end(batch, self.metrics)
        await ResultRepository(session).remove(batch.id)


def waiting_reason(error: BaseException) -> str | None:
    """Return why the database cannot be written to, as a sentence; None for other errors."""
    if is_disk_full(error):
        return "The database's disk is full."
    if is_read_only(error):
        return "The database is read-only."
    if is_conflict(error):
        return None  # conflicts could repeat forever
    return "The database cannot be reached." if is_outage(error) else None


def _discard_attempt(upload: BatchUploadRow) -> None:
    """Undo the last attempt."""
    upload.attempts = max(0, upload.attempts - 1)
    upload.claim = None
