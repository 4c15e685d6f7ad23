"""Metrics of resources that can run out: event loop time and disk space for uploads."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Histogram

MEASURE_SECONDS: Final = 0.25
"""Interval of the event loop measurements."""

LAG_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Upper bounds of the lag in seconds."""


class ProcessHealth:
    """Measures the event loop's lag and the free space for uploads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lag = Histogram(
            "genregraph_event_loop_lag_seconds",
            "Event loop lag, which delays every request.",
            buckets=LAG_BUCKETS,
            registry=registry,
        )
        gauge = partial(Gauge, registry=registry)
        free = gauge("genregraph_spool_free_bytes", "Free space on the disk for uploads in progress.")
        free.set_function(lambda: shutil.disk_usage(tempfile.gettempdir()).free)
        size = gauge("genregraph_spool_size_bytes", "Size of the disk for uploads in progress.")
        size.set_function(lambda: shutil.disk_usage(tempfile.gettempdir()).total)

    @asynccontextmanager
    async def measured(self) -> AsyncIterator[None]:
        """Measure the event loop in this context."""
        measuring = asyncio.create_task(self._measure())
        try:
            yield
        finally:
            measuring.cancel()
            with suppress(asyncio.CancelledError):
                await measuring

    async def _measure(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + MEASURE_SECONDS
            await asyncio.sleep(MEASURE_SECONDS)
            self._lag.observe(max(0.0, loop.time() - due))
