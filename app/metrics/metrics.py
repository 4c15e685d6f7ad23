"""The metrics of one process, each with the reason for which somebody looks at it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from app.metrics.confidence import ConfidenceHistogram
from app.metrics.operation import Operation
from app.metrics.waiting_work import WaitingWork

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
"""Upper bounds of durations, from a cached query to a large upload."""

_WAITING: Final = {
    "queued_batches": "Batches that wait for a worker.",
    "running_batches": "Batches that a worker has.",
    "oldest_queued_batch_seconds": "For how long the oldest batch in the queue has waited.",
    "workers": "Workers connected to the database, in whatever process.",
}


class Metrics:
    """Counts; each application has its own, so that several in one process do not add up.

    The labels of each metric have few values, whatever clients send: root fields of the schema, codes of
    errors, genres of the model.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._operations = Counter(
            "genregraph_operations",
            "GraphQL operations that ended, by type, root field and outcome: ok, or the code of an error.",
            ["type", "field", "outcome"],
            registry=self.registry,
        )
        self._operation_seconds = Histogram(
            "genregraph_operation_seconds",
            "How long queries and mutations took, once their request was read.",
            ["type", "field"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._responses = Counter(
            "genregraph_http_responses",
            "HTTP responses, by route and status; those that no operation was read for are here alone.",
            ["route", "status"],
            registry=self.registry,
        )
        self._songs = Counter(
            "genregraph_songs_classified",
            "Songs that the model gave a genre, whether or not their batch was stored then.",
            ["genre"],
            registry=self.registry,
        )
        self._confidence = ConfidenceHistogram(
            "genregraph_song_confidence", "How sure the model was of the genres of these songs."
        )
        self.registry.register(self._confidence)
        self._outside = Counter(
            "genregraph_songs_outside_training_range",
            "Classified songs outside the range of the songs trained on, by group of features.",
            ["group"],
            registry=self.registry,
        )
        self._batches = Counter(
            "genregraph_batches_ended", "Batches that ended, by status.", ["status"], registry=self.registry
        )
        self._batch_seconds = Histogram(
            "genregraph_batch_seconds",
            "How long batches that succeeded took, from the request to the last song stored.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self._waiting = {
            field: Gauge(f"genregraph_{field}", documentation, registry=self.registry)
            for field, documentation in _WAITING.items()
        }
        self._database_up = Gauge(
            "genregraph_database_up", "Whether the database answered when last asked.", registry=self.registry
        )
        self._info = Info("genregraph_build", "The release that runs, and its model.", registry=self.registry)

    def describe(self, version: str, model_version: str, genres: Sequence[str]) -> None:
        """Tell the release and its model.

        Args:
            version: of the release.
            model_version: of the model.
            genres: which the model knows; their counters start at 0, so that rates can be told at once.
        """
        self._info.info({"version": version, "model_version": model_version})
        for genre in genres:
            self._songs.labels(genre)
        for status in ("SUCCEEDED", "FAILED", "CANCELLED"):
            self._batches.labels(status)

    def gauge(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """Add a value that is looked up whenever somebody asks.

        Args:
            name: of the metric, without `genregraph_`.
            documentation: what it is.
            read: gives the value.
        """
        Gauge(f"genregraph_{name}", documentation, registry=self.registry).set_function(read)

    def note_operation(self, operation: Operation) -> None:
        """Count an operation that ended. A subscription lasts as long as what it follows: no latency."""
        self._operations.labels(operation.type, operation.field, operation.outcome).inc()
        if operation.type in ("query", "mutation"):
            self._operation_seconds.labels(operation.type, operation.field).observe(operation.seconds)

    def note_response(self, route: str, status: int) -> None:
        """Count an HTTP response."""
        self._responses.labels(route, str(status)).inc()

    def note_songs(
        self,
        genres: Sequence[str],
        best: npt.NDArray[np.intp],
        confidences: npt.NDArray[np.float64],
    ) -> None:
        """Count classified songs.

        Args:
            genres: which the model knows.
            best: shape (n,), each song's genre by its place in `genres`.
            confidences: shape (n,).
        """
        for genre, count in zip(genres, np.bincount(best, minlength=len(genres)).tolist(), strict=True):
            if count:
                self._songs.labels(genre).inc(count)
        self._confidence.observe(confidences)

    def note_drift(self, songs_outside: Mapping[str, int]) -> None:
        """Count songs outside the range of training, by group of features."""
        for group, count in songs_outside.items():
            self._outside.labels(group).inc(count)

    def note_waiting(self, work: WaitingWork | None) -> None:
        """Note how much work waits; None if the database does not tell."""
        self._database_up.set(work is not None)
        for field, gauge in self._waiting.items():
            gauge.set(math.nan if work is None else getattr(work, field))

    def note_batch(self, status: str, seconds: float) -> None:
        """Count a batch that ended, `seconds` after it came."""
        self._batches.labels(status).inc()
        if status == "SUCCEEDED":
            self._batch_seconds.observe(seconds)
