"""The metrics of one process."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cache, partial
from typing import Final

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from app.observability.collectors import ConfidenceHistogram, loop_lag_measured

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
"""Upper bounds of durations in seconds, from a cached query to a large upload."""

LAG_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Upper bounds of the event loop's lag in seconds."""

MAX_ADDRESSES: Final = 100
"""Maximum number of addresses with their own label."""

_WAITING: Final = {
    "queued_batches": "Batches waiting for a worker.",
    "running_batches": "Batches being processed by a worker.",
    "oldest_queued_batch_seconds": "Age of the oldest batch in the queue.",
    "workers": "Workers connected to the database, in any process.",
}

_ACCURACY: Final = {
    "verified_songs": "Verified songs that the model was not trained on.",
    "verified_accuracy": "Share of these songs whose genre the model predicted correctly.",
    "verified_accuracy_lower": "Lower end of the 95 % interval of that share.",
    "verified_accuracy_upper": "Upper end of the 95 % interval of that share.",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """A completed GraphQL operation.

    Attributes:
        type: `query`, `mutation` or `subscription`; `invalid` if it is not valid for the schema.
        field: its root field, or `several` or `introspection`.
        outcome: `ok`, or the code of the first error.
        seconds: its duration, excluding reading the request.
        rows: the number of song rows sent with it; None if none.
    """

    type: str
    field: str
    outcome: str
    seconds: float
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class WaitingWork:
    """The state of the queue, as documented in `_WAITING`, and the size of the database on disk."""

    queued_batches: int
    running_batches: int
    oldest_queued_batch_seconds: float
    workers: int
    database_bytes: int


class Metrics:
    """The metrics of an application; several applications in one process do not share them.

    Labels only have bounded sets of values, whatever clients send: root fields, error codes, genres.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self._operations = self._counter(
            "genregraph_operations",
            "Completed GraphQL operations, by type, root field and outcome: ok or an error code.",
            ["type", "field", "outcome"],
        )
        operation_seconds = histogram(
            "genregraph_operation_duration_seconds",
            "Duration of queries and mutations, excluding reading the request.",
            ["type", "field"],
            buckets=SECONDS,
        )
        self._operation_seconds = cache(operation_seconds.labels)
        self._responses = self._counter(
            "genregraph_http_responses",
            "HTTP responses, by route and status, including requests without a GraphQL operation.",
            ["route", "status"],
        )
        self._songs = self._counter(
            "genregraph_songs_classified",
            "Classified songs by genre, including those whose batch was not stored.",
            ["genre"],
        )
        self._confidence = ConfidenceHistogram(
            "genregraph_song_confidence", "Confidence of the model in its predicted genres."
        )
        self.registry.register(self._confidence)
        self._outside = self._counter(
            "genregraph_songs_outside_training_range",
            "Classified songs outside the training range, by feature group.",
            ["group"],
        )
        self._batches = self._counter("genregraph_batches_ended", "Finished batches, by status.", ["status"])
        self._batch_seconds = histogram(
            "genregraph_batch_duration_seconds",
            "Duration of successful batches, from the request to the last song stored.",
            buckets=SECONDS,
        )
        self._waiting = {name: self._gauge(name, text) for name, text in _WAITING.items()}
        self._database_up = self._gauge("database_up", "Whether the database responded to the last check.")
        self._database_size = self._gauge("database_size_bytes", "Size of the database on disk.")
        pool_wait = histogram(
            "genregraph_database_pool_wait_seconds",
            "Wait for a database connection, by pool: reads, others, writes or work.",
            ["pool"],
            buckets=SECONDS,
        )
        self._pool_wait = cache(pool_wait.labels)
        self._accuracy = [self._gauge(name, text) for name, text in _ACCURACY.items()]
        self._wrong_credentials = self._counter(
            "genregraph_wrong_credentials",
            "Requests with wrong credentials; addresses over the limit have their own label.",
            ["address"],
        )
        self._guessing: set[str] = set()
        self._loop_lag = histogram(
            "genregraph_event_loop_lag_seconds",
            "Event loop lag, which delays every request.",
            buckets=LAG_SECONDS,
        )
        self.gauge(
            "spool_free_bytes",
            "Free space on the disk for uploads in progress.",
            lambda: shutil.disk_usage(tempfile.gettempdir()).free,
        )
        self.gauge(
            "spool_size_bytes",
            "Size of the disk for uploads in progress.",
            lambda: shutil.disk_usage(tempfile.gettempdir()).total,
        )
        self._info = Info("genregraph_build", "Version of the service and its model.", registry=self.registry)

    def _counter(self, name: str, documentation: str, labels: Sequence[str]) -> Callable[..., Counter]:
        """Return a function that returns the counter of some labels."""
        # Looking up a child by its labels is slower than counting.
        return cache(Counter(name, documentation, labels, registry=self.registry).labels)

    def _gauge(self, name: str, documentation: str) -> Gauge:
        return Gauge(f"genregraph_{name}", documentation, registry=self.registry)

    def describe(self, command: str, version: str, model_version: str, genres: Sequence[str]) -> None:
        """Set the build information, and start counters at 0, so that rates are available at once."""
        self._info.info({"command": command, "version": version, "model_version": model_version})
        self._responses("/graphql", "507")
        for genre in genres:
            self._songs(genre)
        for status in ("SUCCEEDED", "FAILED", "CANCELLED"):
            self._batches(status)

    def loop_measured(self) -> AbstractAsyncContextManager[None]:
        """Measure the event loop's lag in this context."""
        return loop_lag_measured(self._loop_lag)

    def gauge(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """Register a gauge whose value is read at each scrape."""
        self._gauge(name, documentation).set_function(read)

    def record_operation(self, operation: Operation) -> None:
        """Count a completed operation, with its duration unless it is a subscription."""
        self._operations(operation.type, operation.field, operation.outcome).inc()
        if operation.type in ("query", "mutation"):
            self._operation_seconds(operation.type, operation.field).observe(operation.seconds)

    def record_response(self, route: str, status: int) -> None:
        """Count an HTTP response."""
        self._responses(route, status).inc()

    def record_songs(
        self,
        genres: Sequence[str],
        best: npt.NDArray[np.intp],
        confidences: npt.NDArray[np.float64],
    ) -> None:
        """Count classified songs by `best`, shape (n,), the index of each one's genre in `genres`."""
        for genre, count in zip(genres, np.bincount(best, minlength=len(genres)).tolist(), strict=True):
            if count:
                self._songs(genre).inc(count)
        self._confidence.observe(confidences)

    def record_drift(self, songs_outside: Mapping[str, int]) -> None:
        """Count songs outside the training range, by feature group."""
        for group, count in songs_outside.items():
            self._outside(group).inc(count)

    def record_pool_wait(self, pool: str, seconds: float) -> None:
        """Observe the wait for a connection of a pool."""
        self._pool_wait(pool).observe(seconds)

    def record_wrong_credentials(self, address: str, *, over_limit: bool) -> None:
        """Count a request with wrong credentials.

        Args:
            address: the client's address.
            over_limit: whether the address has sent too many. Only such addresses get their own label, up to
                `MAX_ADDRESSES`, since an attacker may have many.
        """
        if over_limit and len(self._guessing) < MAX_ADDRESSES:
            self._guessing.add(address)
        self._wrong_credentials(address if address in self._guessing else "other").inc()

    def record_waiting(self, work: WaitingWork | None) -> None:
        """Set the queue's gauges; None if the database does not respond."""
        self._database_up.set(work is not None)
        self._database_size.set(math.nan if work is None else work.database_bytes)
        for field, gauge in self._waiting.items():
            gauge.set(math.nan if work is None else getattr(work, field))

    def record_accuracy(self, songs: float, share: float, lower: float, upper: float) -> None:
        """Set the accuracy on verified songs, with its 95 % interval; NaN if unknown."""
        for gauge, value in zip(self._accuracy, (songs, share, lower, upper), strict=True):
            gauge.set(value)

    def record_batch(self, status: str, seconds: float) -> None:
        """Count a finished batch that took `seconds`."""
        self._batches(status).inc()
        if status == "SUCCEEDED":
            self._batch_seconds.observe(seconds)
