"""How much work waits in the queue and how many workers there are, as monitoring asks for it."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import structlog

from app.database.engine import SessionFactory
from app.metrics.metrics import Metrics
from app.repositories.queue import QueueRepository

KEPT_SECONDS: Final = 2.0
"""For so long what was read is good enough, however many ask."""

ANSWER_SECONDS: Final = 2.0

log = structlog.get_logger(__name__)


class WorkWaiting:
    """Brings the gauges of the queue up to date."""

    def __init__(self, sessions: SessionFactory, metrics: Metrics) -> None:
        self._sessions = sessions
        self._metrics = metrics
        self._read_at = -KEPT_SECONDS
        self._turn = asyncio.Lock()

    async def refresh(self) -> None:
        """Look, unless somebody has just looked; the gauges are NaN while the database is away."""
        async with self._turn:
            if time.monotonic() - self._read_at < KEPT_SECONDS:
                return
            try:
                async with asyncio.timeout(ANSWER_SECONDS), self._sessions() as session:
                    work = await QueueRepository(session).waiting()
            except Exception as error:  # noqa: BLE001  (whatever it is, the other figures are wanted)
                log.warning("could not look at the queue", error=repr(error))
                self._metrics.note_waiting(None)
            else:
                self._metrics.note_waiting(work)
            self._read_at = time.monotonic()
