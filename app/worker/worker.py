"""A worker: takes batches from pgqueuer's queue, outlives outages of the database, hands over at its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import structlog
from pgqueuer.core.qm import QueueManager
from pgqueuer.db import AsyncpgDriver
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from app.database.engine import SERVER_SETTINGS
from app.database.outage import is_outage
from app.repositories.queue import CLASSIFY_BATCH, WORKER_APPLICATION, batch_of_job
from app.services.batch_processing import BatchProcessing, HandedOverError

HEARTBEAT_TIMEOUT = timedelta(seconds=5)
"""A worker that was not heard of for so long is dead, and its batches are taken up by others."""

LOOK_INTERVAL = timedelta(seconds=1)
"""How often a worker looks for batches of the dead; of new ones it is notified."""

TIDY_SECONDS = 30.0
RECONNECT_SECONDS = 1.0
RETRY_DELAY = timedelta(seconds=1)

STOP_SECONDS = 20.0
"""How long a batch may take to reach its next chunk, or to be stored, when the worker is to stop."""

JobHandler = Callable[[Job], Awaitable[None]]
"""What is done with a job of the queue."""

log = structlog.get_logger(__name__)


@dataclass
class _OneByOne(QueueManager):
    """A queue manager that never holds more jobs than it works on; the stock one wants to hold two."""

    concurrency: int = 1

    async def fetch_jobs(
        self, batch_size: int, global_concurrency_limit: int | None, heartbeat_timeout: timedelta
    ) -> AsyncGenerator[Job, None]:
        del batch_size, global_concurrency_limit
        async for job in super().fetch_jobs(1, self.concurrency, heartbeat_timeout):
            yield job


class Worker:
    """Works on background batches until it is stopped."""

    def __init__(
        self,
        database_url: str,
        processing: BatchProcessing,
        *,
        concurrency: int,
        traced: Callable[[JobHandler], JobHandler],
    ) -> None:
        """Make the worker.

        Args:
            database_url: `postgresql://…`; the worker keeps a connection of its own, to be notified.
            processing: what is done with a batch.
            concurrency: how many batches it works on at once.
            traced: puts spans around the work on batches, or nothing.
        """
        self._database_url = database_url.replace("postgresql+asyncpg://", "postgresql://", 1)
        self._processing = processing
        self._concurrency = concurrency
        self._handler = traced(self._classify)
        self._stopping = asyncio.Event()
        self._manager: QueueManager | None = None

    async def run(self) -> None:
        """Work until `stop` is called; a database that is away is waited for."""
        while not self._stopping.is_set():
            try:
                await self._work()
            except Exception as error:
                known = is_outage(error)
                log.warning(
                    "the queue cannot be reached; trying again", error=repr(error), exc_info=not known
                )
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), RECONNECT_SECONDS)

    def stop(self) -> None:
        """Let `run` end: batches are handed over at their next chunk."""
        self._stopping.set()
        if self._manager is not None:
            self._manager.shutdown.set()

    async def _work(self) -> None:
        connection = await asyncpg.connect(
            self._database_url, server_settings={**SERVER_SETTINGS, "application_name": WORKER_APPLICATION}
        )
        tidying: asyncio.Task[None] | None = None
        try:
            manager = _OneByOne(Queries(AsyncpgDriver(connection)), concurrency=self._concurrency)
            manager.entrypoint(CLASSIFY_BATCH)(self._handler)
            connection.add_termination_listener(lambda _: manager.shutdown.set())
            self._manager = manager
            if self._stopping.is_set():
                return
            tidying = asyncio.create_task(self._tidy(manager.shutdown))
            await manager.run(
                dequeue_timeout=LOOK_INTERVAL, batch_size=1, heartbeat_timeout=HEARTBEAT_TIMEOUT
            )
        finally:
            self._manager = None
            if tidying is not None:
                tidying.cancel()
                with suppress(asyncio.CancelledError):
                    await tidying
            await _close(connection)

    async def _classify(self, job: Job) -> None:
        try:
            await self._processing.process(batch_of_job(job.payload), self._stopping.is_set)
        except HandedOverError as error:
            raise RetryRequested(delay=timedelta(0), reason="worker stopped") from error
        except Exception as error:
            # Attempts are counted where they are made; the queue is only told to try again.
            raise RetryRequested(delay=RETRY_DELAY, reason=repr(error)) from error

    async def _tidy(self, shutdown: asyncio.Event) -> None:
        while not shutdown.is_set():
            try:
                await self._processing.tidy()
            except Exception as error:  # noqa: BLE001  (the next time may be better)
                log.warning("could not tidy up", error=repr(error))
            await asyncio.sleep(TIDY_SECONDS)


async def _close(connection: asyncpg.Connection) -> None:
    try:
        await connection.close(timeout=2)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
        connection.terminate()


async def run_until_stopped(worker: Worker, stopped: asyncio.Event) -> None:
    """Run a worker until an event comes, then give its batches time to be handed over."""
    running = asyncio.create_task(worker.run())
    stopping = asyncio.create_task(stopped.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    worker.stop()
    try:
        await asyncio.wait_for(running, STOP_SECONDS)
    except TimeoutError:
        log.warning("a batch did not come to a stop in time; another worker will take it up")
