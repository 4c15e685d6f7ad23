"""A worker that processes batches from pgqueuer's queue and survives database outages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

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
from app.observability.tracing import Tracing
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


class Worker:
    """Processes background batches, and cleans up periodically, until it is stopped."""

    def __init__(  # noqa: PLR0913, PLR0917 - its dependencies
        self,
        settings: Settings,
        database: Database,
        sessions: SessionFactory,
        classifier: SongClassifier,
        metrics: Metrics,
        tracing: Tracing,
    ) -> None:
        """Create the worker; it keeps its own connection to `database` for notifications."""
        self._settings = settings
        self._database = database
        self._sessions = sessions
        self._claims = Claims(sessions, metrics, model_version=classifier.model_version)
        storage = Storage.of(settings, classifier.ensemble.genres)
        self._processing = BatchProcessing(sessions, self._claims, classifier, storage, metrics)
        self._handler = tracing.jobs(
            self._classify,
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
        connection = await self._database.connect(application_name=WORKER_APPLICATION)
        cleanup: asyncio.Task[None] | None = None
        try:
            queries = Queries(AsyncpgDriver(connection))
            manager = _OneByOne(queries, concurrency=self._settings.worker_concurrency)
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

    async def _clean_up_periodically(self, shutdown: asyncio.Event) -> None:
        while not shutdown.is_set():
            try:
                await self._clean_up()
            except Exception as error:  # noqa: BLE001  (retried next time)
                log.warning("cleanup failed", error=repr(error))
            await asyncio.sleep(CLEANUP_SECONDS)

    async def _clean_up(self) -> None:
        """Delete expired data, and requeue unfinished batches that have no job; any worker may do that."""
        await self._claims.return_waiting()
        now, days = datetime.now(UTC), self._settings.batch_retention_days
        async with self._sessions.begin() as session:
            await ResultRepository(session).remove_expired(now)
            if days is not None:
                await BatchRepository(session).remove_finished_before(now - timedelta(days=days))
        async with self._sessions.begin() as session:
            uploads, queue = UploadRepository(session), QueueRepository(session)
            await uploads.remove_finished_before(now - timedelta(hours=self._settings.retention_hours))
            for batch_id in await uploads.without_job():
                log.warning("requeued a batch that had no job", batch_id=str(batch_id))
                await queue.add(batch_id)
            await queue.delete_log_before(LOG_DAYS)
