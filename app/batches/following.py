"""Follow batches: a single poller per process serves all subscriptions."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from app.batches.pipeline import check_visible
from app.batches.repository import BatchRepository
from app.clients.roles import Caller
from app.database.engine import SessionFactory
from app.database.errors import is_outage
from app.database.tables import BatchRow, BatchStatus

POLL_SECONDS = 1.0
"""Poll interval, and therefore the minimum time between events."""

QUEUED_POLL_SECONDS = 2.0
"""Poll interval while no followed batch is running, from the second poll on."""

OUTAGE_SECONDS = 30.0
"""How long followers wait for an unavailable database."""


@dataclass(frozen=True, slots=True)
class _Poll:
    """Result of one poll: the existing ones of the polled batches, or why it failed."""

    batch_ids: frozenset[uuid.UUID]
    batches: dict[uuid.UUID, BatchRow]
    error: Exception | None = None


class Following:
    """Sends the progress of batches to any number of followers."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions
        self._followed: Counter[uuid.UUID] = Counter()
        self._joined = asyncio.Event()
        self._stopping = False
        self._next: asyncio.Future[_Poll | None] | None = None
        self._poller: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """End all subscriptions, because the service is stopping."""
        self._stopping = True
        if self._poller is not None:
            self._poller.cancel()
        self._publish(None)

    async def follow(self, batch_id: uuid.UUID, caller: Caller) -> AsyncGenerator[BatchRow, None]:
        """Yield a batch now and after each change, until it is finished or the service stops.

        Short outages of the database are tolerated.

        Raises:
            InvalidArgumentError: the batch does not exist or is not visible to the caller.
        """
        seen: tuple[str, int] | None = None
        last_read = time.monotonic()
        with self._follower(batch_id):
            while (poll := await self._next_poll()) is not None:
                if poll.error is not None:
                    if not is_outage(poll.error) or time.monotonic() - last_read > OUTAGE_SECONDS:
                        raise poll.error
                    continue
                if batch_id not in poll.batch_ids:
                    continue  # this poll had started before the follower joined
                last_read = time.monotonic()
                batch = check_visible(poll.batches.get(batch_id), caller)
                if seen != (batch.status, batch.rows_processed):
                    seen = (batch.status, batch.rows_processed)
                    yield batch
                if BatchStatus(batch.status).is_final:
                    return

    @contextmanager
    def _follower(self, batch_id: uuid.UUID) -> Iterator[None]:
        self._followed[batch_id] += 1
        self._joined.set()
        try:
            yield
        finally:
            self._followed[batch_id] -= 1
            if not self._followed[batch_id]:
                del self._followed[batch_id]

    async def _next_poll(self) -> _Poll | None:
        """Wait for the next poll; return None if the service stops."""
        if self._stopping:
            return None
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll_while_followed())
        return await asyncio.shield(self._next)

    async def _poll_while_followed(self) -> None:
        previous: frozenset[uuid.UUID] = frozenset()
        try:
            while self._followed and not self._stopping:
                self._joined.clear()
                began = time.monotonic()
                poll = await self._poll()
                self._publish(poll)
                running = any(batch.status == BatchStatus.RUNNING for batch in poll.batches.values())
                is_soon = running or poll.error or poll.batch_ids - previous
                previous = poll.batch_ids
                # A new follower ends the pause early.
                with suppress(TimeoutError):
                    pause = POLL_SECONDS if is_soon else QUEUED_POLL_SECONDS
                    await asyncio.wait_for(self._joined.wait(), pause)
                await asyncio.sleep(max(0.0, began + POLL_SECONDS - time.monotonic()))
        finally:
            self._poller = None

    async def _poll(self) -> _Poll:
        batch_ids = frozenset(self._followed)
        try:
            async with self._sessions() as session:
                return _Poll(batch_ids, await BatchRepository(session).by_ids(batch_ids))
        except Exception as error:  # noqa: BLE001 - each follower raises it
            return _Poll(batch_ids, {}, error)

    def _publish(self, poll: _Poll | None) -> None:
        waiting, self._next = self._next, None
        if waiting is not None and not waiting.done():
            waiting.set_result(poll)
