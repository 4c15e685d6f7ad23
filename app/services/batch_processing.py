"""The work on a background batch: from its stored file to its songs, chunk by chunk, in durable steps.

Each chunk's songs are staged, unseen by readers, in one transaction with how far the file was read. So a
worker that takes the batch up after another goes on behind the last chunk, and no song is staged twice. The
last transaction merges the staged songs into `songs`. Every transaction holds the batch's upload and checks
that the batch is still this worker's.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

import structlog
from pydantic import ValidationError

from app.database.engine import SessionFactory
from app.database.outage import is_disk_full
from app.database.tables import BatchRow, BatchStatus
from app.metrics.metrics import Metrics
from app.repositories.batches import BatchRepository
from app.repositories.queue import QueueRepository
from app.repositories.songs import SongRepository
from app.repositories.uploads import UploadBusyError, UploadRepository
from app.services.batch_rows import note_end, problem_rows
from app.services.drift import Drift, add_drift, drift_of_all
from app.services.song_classifier import CHUNK_ROWS, ClassifiedChunk, SongClassifier
from app.services.stored_file import open_stored
from ml.song_file import InvalidSongFileError, OnInvalidRow, SongFile, SongFileReport, SongFileState

MAX_ATTEMPTS = 3
"""So often in a row may the work on a batch end without having got further."""

BUSY_SECONDS = 5.0
"""So long may another transaction hold a batch that the queue gives to this worker."""

LOG_DAYS = 7
"""How long the queue remembers jobs that ended."""

log = structlog.get_logger(__name__)


class HandedOverError(Exception):
    """This worker is to stop; another may go on with the batch."""


class LostBatchError(Exception):
    """The batch is not this worker's any more: it was cancelled, or taken for dead and given to another."""


@dataclass(slots=True)
class _Work:
    """A batch that this worker has.

    Attributes:
        batch_id: the batch.
        name: of its file.
        claim: what shows in the database that the batch is this worker's.
        on_invalid_row: what to do about wrong rows.
        state: how far the file was read when the songs staged so far had been.
        songs_staged: how many these are.
        drift: how many of these are outside the range of training; None if the release before staged some.
    """

    batch_id: uuid.UUID
    name: str
    claim: uuid.UUID
    on_invalid_row: OnInvalidRow
    state: SongFileState
    songs_staged: int
    drift: Drift | None


class BatchProcessing:
    """Works on background batches with one model; each in its own time, several at once if asked to."""

    def __init__(
        self, sessions: SessionFactory, classifier: SongClassifier, metrics: Metrics, *, retention: timedelta
    ) -> None:
        """Make the service.

        Args:
            sessions: where transactions come from.
            classifier: what decides.
            metrics: where batches are counted.
            retention: how long the file of a batch that failed is kept.
        """
        self._sessions = sessions
        self._classifier = classifier
        self._metrics = metrics
        self._retention = retention

    async def process(self, batch_id: uuid.UUID, must_stop: Callable[[], bool]) -> None:
        """Work on a batch until it is finished; nothing is left to do for one that is.

        Args:
            batch_id: the batch.
            must_stop: whether this worker is to stop, asked after each chunk.

        Raises:
            HandedOverError: it is; the batch waits for another worker.
            Exception: the work broke off; another attempt may be made, and is counted.
        """
        work = await self._claim(batch_id)
        if work is None:
            return
        try:
            report, songs_staged = await self._stage(work, must_stop)
            await self._finish(work, report, songs_staged)
        except InvalidSongFileError as error:
            await self._fail(work, str(error), error.report)
        except LostBatchError:
            log.info("batch lost to a cancellation or another worker", batch_id=str(batch_id))
        except HandedOverError:
            await self._hand_over(work)
            raise
        except Exception as error:
            await self._note_failure(work, error)
            raise

    async def tidy(self) -> None:
        """Delete files that were kept long enough, and queue again what the queue has lost."""
        async with self._sessions.begin() as session:
            uploads = UploadRepository(session)
            await uploads.remove_finished_before(datetime.now(UTC) - self._retention)
            queue = QueueRepository(session)
            for batch_id in await uploads.without_job():
                log.warning("batch without a job queued again", batch_id=str(batch_id))
                await queue.add(batch_id)
            await queue.forget_log_before(LOG_DAYS)

    async def _claim(self, batch_id: uuid.UUID) -> _Work | None:
        try:
            return await self._claim_within(batch_id, BUSY_SECONDS)
        except UploadBusyError:
            pass
        # The queue took the worker that had it for dead, but the database still has its transaction open.
        async with self._sessions.begin() as session:
            if await UploadRepository(session).end_holder(batch_id):
                log.warning("ended the transaction of a worker not heard of", batch_id=str(batch_id))
        return await self._claim_within(batch_id, BUSY_SECONDS)

    async def _claim_within(self, batch_id: uuid.UUID, seconds: float) -> _Work | None:
        async with self._sessions.begin() as session:
            upload = await UploadRepository(session).locked(batch_id, timeout_seconds=seconds)
            batch = await BatchRepository(session).locked(batch_id)
            if upload is None or batch is None or BatchStatus(batch.status).is_final:
                return None
            if upload.attempts >= MAX_ATTEMPTS:
                reason = (
                    f"The work on this batch broke off {MAX_ATTEMPTS} times in a row at the same place, and "
                    "the worker with it. Tell the operators; perhaps smaller files get through."
                )
                self._end_failed(batch, reason)
                upload.join_key = None
                await SongRepository(session).drop_staged(batch_id)
                return None
            state = None
            if batch.model_version == self._classifier.model_version:
                state = _readable(upload.state)
            if state is None and upload.songs_staged:
                # Another release's model staged these songs, or wrote a state unknown to this one.
                await SongRepository(session).drop_staged(batch_id)
                upload.songs_staged = 0
                upload.state = None
                batch.rows_processed = 0
                batch.drift = None
            upload.attempts += 1
            upload.claim = uuid.uuid4()
            batch.status = BatchStatus.RUNNING
            batch.started_at = batch.started_at or datetime.now(UTC)
            batch.model_version = self._classifier.model_version
            return _Work(
                batch_id=batch_id,
                name=batch.file_name or "",
                claim=upload.claim,
                on_invalid_row=OnInvalidRow(upload.on_invalid_row),
                state=state or SongFileState(),
                songs_staged=upload.songs_staged,
                drift=drift_of_all(batch.drift, upload.songs_staged) if upload.songs_staged else {},
            )

    async def _stage(self, work: _Work, must_stop: Callable[[], bool]) -> tuple[SongFileReport, int]:
        """Stage the songs that are not yet, and return the file's report and the number of its songs."""
        file = await self._classifier.run(self._open, work, asyncio.get_running_loop())
        song_file = SongFile(
            file,
            name=work.name,
            on_invalid_row=work.on_invalid_row,
            chunk_rows=CHUNK_ROWS,
            state=work.state,
        )
        songs_staged = work.songs_staged
        async with aclosing(self._classifier.classify_file(song_file, first_ordinal=songs_staged)) as chunks:
            async for chunk in chunks:
                songs_staged += len(chunk.songs)
                if work.drift is not None:
                    work.drift = add_drift(work.drift, chunk.drift)
                await self._checkpoint(work, chunk, songs_staged)
                if must_stop():
                    raise HandedOverError
        return song_file.report, songs_staged

    async def _checkpoint(self, work: _Work, chunk: ClassifiedChunk, songs_staged: int) -> None:
        async with self._sessions.begin() as session:
            if not await UploadRepository(session).checkpoint(
                work.batch_id, work.claim, songs_staged=songs_staged, state=chunk.state.to_json()
            ):
                raise LostBatchError
            await SongRepository(session).stage_durably(work.batch_id, chunk.songs)
            await BatchRepository(session).note_progress(work.batch_id, chunk.state.report.rows, work.drift)

    async def _finish(self, work: _Work, report: SongFileReport, songs_staged: int) -> None:
        async with self._sessions.begin() as session:
            uploads, batches, songs = (
                UploadRepository(session),
                BatchRepository(session),
                SongRepository(session),
            )
            upload = await uploads.locked(work.batch_id)
            batch = await batches.locked(work.batch_id)
            if upload is None or batch is None or upload.claim != work.claim:
                raise LostBatchError
            merged = await songs.merge_stage(
                batch.id,
                batch.model_version,
                datetime.now(UTC),
                min_confidence=batch.min_confidence,
                durable=True,
            )
            _note_report(batch, report)
            batch.drift = work.drift
            batch.genre_counts = merged.genre_counts
            batch.rows_uncertain = merged.uncertain
            batch.rows_classified = sum(merged.genre_counts.values())
            batch.rows_duplicated = songs_staged - batch.rows_classified
            batch.status = BatchStatus.SUCCEEDED
            batch.finished_at = datetime.now(UTC)
            await batches.add_problems(problem_rows(batch.id, report.problems))
            await songs.drop_staged(batch.id)
            await uploads.remove(batch.id)
        note_end(batch, self._metrics)

    async def _fail(self, work: _Work, reason: str, report: SongFileReport) -> None:
        """End a batch whose file is refused; the file is of no more use."""
        async with self._sessions.begin() as session:
            upload = await UploadRepository(session).locked(work.batch_id)
            batch = await BatchRepository(session).locked(work.batch_id)
            if upload is None or batch is None or upload.claim != work.claim:
                return
            _note_report(batch, report)
            self._end_failed(batch, reason)
            await BatchRepository(session).add_problems(problem_rows(batch.id, report.problems))
            await SongRepository(session).drop_staged(batch.id)
            await UploadRepository(session).remove(batch.id)

    async def _hand_over(self, work: _Work) -> None:
        """Take back the attempt: stopping a worker is nobody's failure."""
        async with self._sessions.begin() as session:
            upload = await UploadRepository(session).locked(work.batch_id)
            if upload is not None and upload.claim == work.claim:
                upload.attempts = max(0, upload.attempts - 1)
                upload.claim = None

    async def _note_failure(self, work: _Work, error: Exception) -> None:
        """End the batch if this was the last attempt; a database that is away ends nothing."""
        log.warning("work on a batch broke off", batch_id=str(work.batch_id), exc_info=error)
        try:
            async with self._sessions.begin() as session:
                upload = await UploadRepository(session).locked(work.batch_id)
                batch = await BatchRepository(session).locked(work.batch_id)
                if (
                    upload is None
                    or batch is None
                    or upload.claim != work.claim
                    or upload.attempts < MAX_ATTEMPTS
                ):
                    return
                self._end_failed(batch, _reason(error))
                upload.join_key = None
                await SongRepository(session).drop_staged(work.batch_id)
        except Exception as further:  # noqa: BLE001  (whatever it is, the next worker takes the batch up)
            log.warning("could not note it", batch_id=str(work.batch_id), error=repr(further))

    def _end_failed(self, batch: BatchRow, reason: str) -> None:
        batch.status = BatchStatus.FAILED
        batch.error = reason
        batch.finished_at = datetime.now(UTC)
        note_end(batch, self._metrics)

    def _open(self, work: _Work, loop: asyncio.AbstractEventLoop) -> BinaryIO:
        def fetch(position: int) -> bytes | None:
            return asyncio.run_coroutine_threadsafe(self._part(work.batch_id, position), loop).result()

        return open_stored(fetch, work.state.position.offset)

    async def _part(self, batch_id: uuid.UUID, position: int) -> bytes | None:
        async with self._sessions() as session:
            return await UploadRepository(session).part(batch_id, position)


def _readable(state: dict[str, object] | None) -> SongFileState | None:
    try:
        return None if state is None else SongFileState.from_json(state)
    except ValidationError:
        return None


def _note_report(batch: BatchRow, report: SongFileReport) -> None:
    batch.rows_uploaded = batch.rows_processed = report.rows
    batch.rows_with_missing_values = report.rows_with_missing_values
    batch.rows_invalid = report.rows_invalid
    batch.problem_count = report.problem_count


def _reason(error: Exception) -> str:
    if is_disk_full(error):
        return "The database's disk is full. Tell the operators, and send the file again later."
    return (
        f"The work on this batch broke off {MAX_ATTEMPTS} times in a row at the same place. "
        "The operators find the reason in the log; send the file again when they have dealt with it."
    )
