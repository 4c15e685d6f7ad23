"""A worker that processes batches from pgqueuer's queue and survives database outages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from pgqueuer.core.qm import QueueManager
from pgqueuer.db import AsyncpgDriver
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from app.batches.claims import Claims
from app.batches.classifier import SongClassifier
from app.batches.pipeline import Storage
from app.batches.processing import BatchProcessing, HandedOverError, WaitingError
from app.batches.queue import (
    CLASSIFY_BATCH,
    WORKER_APPLICATION,
    QueueRepository,
    UploadRepository,
    batch_of_job,
)
from app.batches.repository import BatchRepository, ResultRepository
from app.database.connect import Database, close
from app.database.engine import SessionFactory
from app.database.errors import is_outage
from app.observability.metrics import Metrics
from app.observability.tracing import JobHandler, Tracing
from app.settings import Settings

HEARTBEAT_TIMEOUT = timedelta(seconds=5)
"""After this time without a heartbeat, a worker is considered dead and its batches are reassigned."""

POLL_INTERVAL = timedelta(seconds=1)
"""How often a worker polls for batches of dead workers; new batches are notified."""

CLEANUP_SECONDS = 30.0

LOG_DAYS = 7
"""Retention of the queue's log, in days."""

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


class Worker:
    """Processes background batches until it is stopped."""

    def __init__(
        self,
        database: Database,
        processing: BatchProcessing,
        retention: Retention,
        *,
        concurrency: int,
        traced: Callable[[JobHandler], JobHandler],
    ) -> None:
        """Create the worker.

        Args:
            database: database with the queue; the worker keeps its own connection for notifications.
            processing: processes a batch.
            retention: cleans up.
            concurrency: maximum number of concurrent batches.
            traced: wraps the job handler in trace spans, or returns it unchanged.
        """
        self._database = database
        self._processing = processing
        self._retention = retention
        self._concurrency = concurrency
        self._handler = traced(self._classify)
        self._stopping = asyncio.Event()
        self._manager: QueueManager | None = None

    async def run(self) -> None:
        """Process batches until `stop` is called; reconnect after database outages."""
        while not self._stopping.is_set():
            try:
                await self._work()
            except Exception as error:
                known = is_outage(error)
                log.warning("cannot reach the queue, retrying", error=repr(error), exc_info=not known)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), RECONNECT_SECONDS)

    def stop(self) -> None:
        """Make `run` return; batches are released at their next chunk."""
        self._stopping.set()
        if self._manager is not None:
            self._manager.shutdown.set()

    async def _work(self) -> None:
        connection = await self._database.connect(application_name=WORKER_APPLICATION)
        cleanup: asyncio.Task[None] | None = None
        try:
            manager = _OneByOne(Queries(AsyncpgDriver(connection)), concurrency=self._concurrency)
            manager.entrypoint(CLASSIFY_BATCH)(self._handler)
            connection.add_termination_listener(lambda _: manager.shutdown.set())
            self._manager = manager
            if self._stopping.is_set():
                return
            cleanup = asyncio.create_task(self._clean_up(manager.shutdown))
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

    async def _classify(self, job: Job) -> None:
        try:
            await self._processing.process(batch_of_job(job.payload), self._stopping.is_set)
        except HandedOverError as error:
            raise RetryRequested(delay=timedelta(0), reason="worker stopped") from error
        except WaitingError as error:
            raise RetryRequested(delay=WAITING_DELAY, reason=str(error)) from error
        except Exception as error:
            # `Claims` counts the attempts; the queue only retries.
            raise RetryRequested(delay=RETRY_DELAY, reason=repr(error)) from error

    async def _clean_up(self, shutdown: asyncio.Event) -> None:
        while not shutdown.is_set():
            try:
                await self._retention.apply()
            except Exception as error:  # noqa: BLE001  (retried next time)
                log.warning("cleanup failed", error=repr(error))
            await asyncio.sleep(CLEANUP_SECONDS)


def make_worker(  # noqa: PLR0913, PLR0917 - its dependencies
    settings: Settings,
    database: Database,
    sessions: SessionFactory,
    classifier: SongClassifier,
    metrics: Metrics,
    tracing: Tracing,
) -> Worker:
    """Create a worker for background batches."""
    days = settings.batch_retention_days
    claims = Claims(sessions, metrics, model_version=classifier.model_version)
    storage = Storage.of(settings, classifier.ensemble.genres)
    return Worker(
        database,
        BatchProcessing(sessions, claims, classifier, storage, metrics),
        Retention(
            sessions,
            claims,
            files=timedelta(hours=settings.retention_hours),
            batches=None if days is None else timedelta(days=days),
        ),
        concurrency=settings.worker_concurrency,
        traced=partial(
            tracing.jobs,
            attributes=lambda job: {"genregraph.batch_id": str(batch_of_job(job.payload))},
            handed_over=HandedOverError,
        ),
    )


async def run_until_stopped(worker: Worker, stopped: asyncio.Event) -> None:
    """Run a worker until an event is set, then give its batches time to be released."""
    running = asyncio.create_task(worker.run())
    stopping = asyncio.create_task(stopped.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    worker.stop()
    try:
        await asyncio.wait_for(running, STOP_SECONDS)
    except TimeoutError:
        log.warning("a batch did not stop in time; another worker will resume it")
