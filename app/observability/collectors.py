"""Collect what is not counted per request: confidences, the health of the process, the database's values."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import structlog
from prometheus_client import Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

BUCKETS: Final = tuple(tenth / 10 for tenth in range(1, 11))
"""Upper bounds of confidence, from 0 to 1."""

MEASURE_SECONDS: Final = 0.25
"""Interval of the event loop measurements."""

READ_SECONDS: Final = 2.0
"""Time limit for reading values from the database."""

Value = TypeVar("Value")

Refresh = Callable[[], Awaitable[None]]
"""Updates gauges whose values are in the database."""

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


@asynccontextmanager
async def loop_lag_measured(lag: Histogram) -> AsyncIterator[None]:
    """Observe the event loop's lag in this context."""

    async def measure() -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + MEASURE_SECONDS
            await asyncio.sleep(MEASURE_SECONDS)
            lag.observe(max(0.0, loop.time() - due))

    measuring = asyncio.create_task(measure())
    try:
        yield
    finally:
        measuring.cancel()
        with suppress(asyncio.CancelledError):
            await measuring


def refresher(
    name: str,
    kept_seconds: float,
    read: Callable[[], Awaitable[Value]],
    record: Callable[[Value | None], None],
) -> Refresh:
    """Return a function that updates gauges from the database, unless they are recent; it raises nothing.

    Args:
        name: what the gauges show, for the log.
        kept_seconds: time between updates, after a failure, too.
        read: reads the values. `/metrics` must respond while the database is slow or unavailable, too.
        record: sets the gauges; None if the values are unknown.
    """
    turn = asyncio.Lock()
    read_at = -math.inf

    async def refresh() -> None:
        nonlocal read_at
        async with turn:
            if time.monotonic() - read_at < kept_seconds:
                return
            value: Value | None = None
            try:
                async with asyncio.timeout(READ_SECONDS):
                    value = await read()
            except Exception as error:  # noqa: BLE001  (other metrics must stay available)
                log.warning("could not update gauges", gauges=name, error=repr(error))
            record(value)
            read_at = time.monotonic()

    return refresh
