"""Gauges whose values are in the database: `/metrics` must respond while it is slow or unavailable."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from typing import Final

import structlog

ANSWER_SECONDS: Final = 2.0
"""Time limit for reading the values."""

log = structlog.get_logger(__name__)


class DatabaseGauges(ABC):
    """Updates gauges, unless they are recent; they are NaN while the database is unavailable."""

    def __init__(self, name: str, kept_seconds: float) -> None:
        """Initialize it; `kept_seconds` is the time between updates, after a failure, too."""
        self._name = name
        self._kept_seconds = kept_seconds
        self._read_at = -kept_seconds
        self._turn = asyncio.Lock()

    async def refresh(self) -> None:
        """Update the gauges; no exception is raised."""
        async with self._turn:
            if time.monotonic() - self._read_at < self._kept_seconds:
                return
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._update()
            except Exception as error:  # noqa: BLE001  (other metrics must stay available)
                log.warning("could not update gauges", gauges=self._name, error=repr(error))
                self._clear()
            self._read_at = time.monotonic()

    @abstractmethod
    async def _update(self) -> None:
        """Read the values and record them."""

    @abstractmethod
    def _clear(self) -> None:
        """Record that the values are unknown."""
