"""A worker that processes batches from pgqueuer's queue, in durable steps, and survives database outages.

Each chunk is stored, invisible to readers, in one transaction with the read position. A worker that takes
over a batch therefore resumes after the last chunk, and no song is stored twice. The final transaction merges
all songs into the catalogue.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import InitVar, dataclass
from datetime import timedelta
from functools import partial
from typing import BinaryIO

import structlog
from pgqueuer.core.qm import QueueManager
from pgqueuer.db import AsyncpgDriver
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from app.batches.claims import Claims, LostBatchError, Work, waiting_reason
from app.batches.classifier import CHUNK_ROWS, ClassifiedChunk, SongClassifier
from app.batches.pipeline import BatchTransaction, Storage, record_end
from app.batches.queue import CLASSIFY_BATCH, WORKER_APPLICATION, UploadRepository, batch_of_job
from app.batches.repository import ResultRepository
from app.batches.service import clean_up
from app.batches.song_parts import PackedPart, SongPart, pack_to_keep, rows_to_stage, unpack_answers
from app.batches.stored_file import open_stored, read_ahead
from app.batches.stored_songs import ReadSongs, Selection, StoredSongs
from app.database.connect import Database, close
from app.database.engine import SessionFactory
from app.database.errors import is_outage
from app.observability.metrics import Metrics
from app.observability.tracing import Tracing
from app.settings import Settings
from ml.songs.csv_songs import SongFile
from ml.songs.problems import InvalidSongFileError, OnInvalidRow, OnMissingValue, SongFileReport

HEARTBEAT_TIMEOUT = timedelta(seconds=5)
"""After this time without a heartbeat, a worker is considered dead and its batches are reassigned."""

POLL_INTERVAL = timedelta(seconds=1)
"""How often a worker polls for batches of dead workers; new batches are notified."""

CLEANUP_SECONDS = 30.0

RECONNECT_SECONDS = 1.0
RETRY_DELAY = timedelta(seconds=1)
WAITING_DELAY = timedelta(seconds=5)

STOP_SECONDS = 20.0
"""How long a stopping worker waits for a batch to reach its next chunk or be stored."""

log = structlog.get_logger(__name__)


@dataclass
class _OneByOne(QueueManager):
    """A queue manager that fetches one job at a time; pgqueuer's own fetches at least two."""

    concurrency: int = 1

    async def fetch_jobs(
        self, batch_size: int, global_concurrency_limit: int | None, heartbeat_timeout: timedelta
    ) -> AsyncGenerator[Job, None]:
        del batch_size, global_concurrency_limit
        async for job in super().fetch_jobs(1, self.concurrency, heartbeat_timeout):
            yield job


class HandedOverError(Exception):
    """This worker is stopping; another one may resume the batch."""


@dataclass(eq=False)
class Worker:
    """Processes background batches, and cleans up periodically, until it is stopped.

    It keeps its own connection to `database` for notifications.
    """

    settings: Settings
    database: Database
    sessions: SessionFactory
    classifier: SongClassifier
    metrics: Metrics
    tracing: InitVar[Tracing]

    def __post_init__(self, tracing: Tracing) -> None:
        """Prepare to run."""
        self._claims = Claims(self.sessions, self.metrics, self.classifier.model_version)
        self._storage = Storage.of(self.settings, self.classifier.ensemble.genres)
        self._handler = tracing.jobs(
            self._process,
            attributes=lambda job: {"genregraph.batch_id": str(batch_of_job(job.payload))},
            handed_over=HandedOverError,
        )
        self._stopping = asyncio.Event()
        self._manager: QueueManager | None = None

    async def run_until(self, stopped: asyncio.Event) -> None:
        """Process batches until an event is set, then give the current ones time to be released."""
        running = asyncio.create_task(self._run())
        stopping = asyncio.create_task(stopped.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        self._stopping.set()  # batches are released at their next chunk
        if self._manager is not None:
            self._manager.shutdown.set()
        try:
            await asyncio.wait_for(running, STOP_SECONDS)
        except TimeoutError:
            log.warning("a batch did not stop in time; another worker will resume it")

    async def _run(self) -> None:
        """Process batches until this worker stops; reconnect after database outages."""
        while not self._stopping.is_set():
            try:
                await self._work()
            except Exception as error:
                known = is_outage(error)
                log.warning("cannot reach the queue, retrying", error=repr(error), exc_info=not known)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), RECONNECT_SECONDS)

    async def _work(self) -> None:
        connection = await self.database.connect(application_name=WORKER_APPLICATION)
        cleanup: asyncio.Task[None] | None = None
        try:
            queries = Queries(AsyncpgDriver(connection))
            manager = _OneByOne(queries, concurrency=self.settings.worker_concurrency)
            manager.entrypoint(CLASSIFY_BATCH)(self._handler)
            connection.add_termination_listener(lambda _: manager.shutdown.set())
            self._manager = manager
            if self._stopping.is_set():
                return
            cleanup = asyncio.create_task(self._clean_up_periodically(manager.shutdown))
            await manager.run(
                dequeue_timeout=POLL_INTERVAL, batch_size=1, heartbeat_timeout=HEARTBEAT_TIMEOUT
            )
        finally:
            self._manager = None
            if cleanup is not None:
                cleanup.cancel()
                with suppress(asyncio.CancelledError):
                    await cleanup
            await close(connection)

    async def _process(self, job: Job) -> None:
        """Process the batch of a job until it is finished; do nothing if it already is.

        Raises:
            RetryRequested: this worker is stopping, the database is unavailable, full or read-only, or
                processing failed. `Claims` counts failed attempts; the queue only retries.
        """
        work: Work | None = None
        try:
            await self._claims.release_interrupted()
            work = await self._claims.take(batch_of_job(job.payload))
            if work is not None:
                await self._classify_and_store(work)
        except HandedOverError as error:
            raise RetryRequested(delay=timedelta(0), reason="worker stopped") from error
        except Exception as error:
            waits = None if work is None else waiting_reason(error)
            if work is not None and waits is not None:
                await self._claims.mark_waiting(work, waits, error)
            elif work is not None:
                await self._claims.record_failure(work, error)
            delay = RETRY_DELAY if waits is None else WAITING_DELAY
            raise RetryRequested(delay=delay, reason=waits or repr(error)) from error

    async def _classify_and_store(self, work: Work) -> None:
        try:
            await self._store(work, await self._classify(work))
        except InvalidSongFileError as error:
            await self._claims.reject(work, error)
        except LostBatchError:
            log.info("batch cancelled or taken over by another worker", batch_id=str(work.batch.id))
        except HandedOverError:
            await self._claims.hand_over(work)
            raise

    async def _classify(self, work: Work) -> SongFileReport:
        """Classify and keep the remaining songs, and return the report on all of them.

        Raises:
            InvalidSongFileError: the file is invalid.
            HandedOverError: this worker is stopping.
        """
        source = await self._source(work)
        encode = partial(pack_to_keep, keeps_features=self._storage.keeps_features)
        chunks = self.classifier.classify_all(source, encode, first_ordinal=work.upload.songs_staged)
        async with aclosing(chunks):
            async for chunk in chunks:
                work.drift.update(chunk.drift)
                await self._checkpoint(work, chunk)
                if self._stopping.is_set():
                    raise HandedOverError
        return source.report

    async def _source(self, work: Work) -> SongFile | StoredSongs:
        batch, upload, state = work.batch, work.upload, work.state
        if isinstance(state, ReadSongs):
            return StoredSongs(self.sessions, Selection(**batch.selection or {}), state)
        file = await self.classifier.run(
            self._open, batch.id, state.position.offset, asyncio.get_running_loop()
        )
        return SongFile(
            file,
            name=batch.file_name or "",
            on_invalid_row=OnInvalidRow(upload.on_invalid_row),
            on_missing_value=OnMissingValue(upload.on_missing_value),
            chunk_rows=CHUNK_ROWS,
            start=state,
        )

    async def _checkpoint(self, work: Work, chunk: ClassifiedChunk[PackedPart]) -> None:
        async with self._claims.owned(work) as (session, upload, batch):
            upload.songs_staged += len(chunk.packed.part)
            upload.state = chunk.state.to_json()
            upload.attempts = 0
            batch.rows_processed, batch.drift = chunk.state.rows, work.drift
            await ResultRepository(session).add(batch.id, chunk.packed)

    async def _store(self, work: Work, report: SongFileReport) -> None:
        """Merge the kept songs into the catalogue, and finish the batch."""
        ordinal = -1

        async def next_part() -> tuple[SongPart, bytes] | None:
            nonlocal ordinal
            async with self.sessions() as session:
                rows = await ResultRepository(session).parts_after(
                    work.batch.id, ordinal, 1, with_features=True
                )
            if not rows:
                return None
            ordinal = rows[0].first_ordinal
            part = await self.classifier.run(unpack_answers, rows[0].songs, ordinal)
            return part, await self.classifier.run(rows_to_stage, part, rows[0].features)

        async with self._claims.owned(work) as (session, _, batch), aclosing(read_ahead(next_part)) as parts:
            transaction = await BatchTransaction(session, batch, self._storage).open()
            async for part, rows in parts:
                await transaction.stage(part, rows)
            batch.drift = work.drift
            await transaction.finish(report)
            await ResultRepository(session).drop_features(batch.id)
            await UploadRepository(session).remove(batch.id)
        record_end(batch, self.metrics)

    def _open(self, batch_id: uuid.UUID, offset: int, loop: asyncio.AbstractEventLoop) -> BinaryIO:
        async def read(position: int) -> bytes | None:
            async with self.sessions() as session:
                return await UploadRepository(session).part(batch_id, position)

        return open_stored(
            lambda position: asyncio.run_coroutine_threadsafe(read(position), loop).result(), offset
        )

    async def _clean_up_periodically(self, shutdown: asyncio.Event) -> None:
        while not shutdown.is_set():
            try:
                await self._claims.release_interrupted()
                await clean_up(self.sessions, self.settings)
            except Exception as error:  # noqa: BLE001  (retried next time)
                log.warning("cleanup failed", error=repr(error))
            await asyncio.sleep(CLEANUP_SECONDS)
