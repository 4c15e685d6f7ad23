"""Metrics of the queue: amount of queued work and number of workers."""

from __future__ import annotations

from typing import Final

from app.batches.queue import QueueRepository
from app.database.engine import SessionFactory
from app.observability.database_gauges import DatabaseGauges
from app.observability.metrics import Metrics

KEPT_SECONDS: Final = 2.0
"""How long the figures are cached."""


class WorkWaiting(DatabaseGauges):
    """The gauges of the queue."""

    def __init__(self, sessions: SessionFactory, metrics: Metrics) -> None:
        super().__init__("the queue", KEPT_SECONDS)
        self._sessions = sessions
        self._metrics = metrics

    async def _update(self) -> None:
        async with self._sessions() as session:
            self._metrics.record_waiting(await QueueRepository(session).waiting())

    def _clear(self) -> None:
        self._metrics.record_waiting(None)
