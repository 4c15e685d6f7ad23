"""A histogram that observes thousands of values at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

BUCKETS: Final = tuple(tenth / 10 for tenth in range(1, 11))
"""Upper bounds of the buckets, from 0 to 1."""


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
