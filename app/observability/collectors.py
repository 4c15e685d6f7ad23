"""Collect what is not counted per request: confidences, the health of the process, the database's values."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import structlog
from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

BUCKETS: Final = tuple(tenth / 10 for tenth in range(1, 11))
"""Upper bounds of confidence, from 0 to 1."""

MEASURE_SECONDS: Final = 0.25
"""Interval of the event loop measurements."""

LAG_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Upper bounds of the lag in seconds."""

ANSWER_SECONDS: Final = 2.0
"""Time limit for reading values from the database."""

Value = TypeVar("Value")

log = structlog.get_logger(__name__)


class ConfidenceHistogram(Collector):
    """The model's confidence; a drop indicates that the songs have changed.

    prometheus_client's own histogram observes one value at a time, which is much slower.
    """

    def __init__(self, name: str, documentation: str) -> None:
        self._name = name
        self._documentation = documentation
        self._counts = np.zeros(len(BUCKETS), np.int64)
        self._sum = 0.0
        self._lock = threading.Lock()

    def observe(self, confidences: npt.NDArray[np.float64]) -> None:
        """Count confidences, shape (n,), each from 0 to 1."""
        places = np.minimum(np.searchsorted(BUCKETS, confidences, "left"), len(BUCKETS) - 1)
        counts = np.bincount(places, minlength=len(BUCKETS))
        total = float(confidences.sum())
        with self._lock:
            self._counts += counts
            self._sum += total

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield the current histogram."""
        with self._lock:
            below = self._counts.cumsum().tolist()
            total = self._sum
        buckets = [(str(bound), float(count)) for bound, count in zip(BUCKETS, below, strict=True)]
        buckets.append(("+Inf", float(below[-1])))
        yield HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=total)


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


class DatabaseGauges(Generic[Value]):
    """Gauges whose values are in the database.

    They are updated unless they are recent; they are NaN while the database is slow or unavailable, since
    `/metrics` must respond then, too.
    """

    def __init__(
        self,
        name: str,
        kept_seconds: float,
        read: Callable[[], Awaitable[Value]],
        record: Callable[[Value | None], None],
    ) -> None:
        """Create the gauges.

        Args:
            name: what they show, for the log.
            kept_seconds: time between updates, after a failure, too.
            read: reads the values.
            record: sets the gauges; None if the values are unknown.
        """
        self._name = name
        self._kept_seconds = kept_seconds
        self._read = read
        self._record = record
        self._read_at = -kept_seconds
        self._turn = asyncio.Lock()

    async def refresh(self) -> None:
        """Update the gauges; no exception is raised."""
        async with self._turn:
            if time.monotonic() - self._read_at < self._kept_seconds:
                return
            value: Value | None = None
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    value = await self._read()
            except Exception as error:  # noqa: BLE001  (other metrics must stay available)
                log.warning("could not update gauges", gauges=self._name, error=repr(error))
            self._record(value)
            self._read_at = time.monotonic()
