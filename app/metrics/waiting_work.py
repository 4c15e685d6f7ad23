"""How much work waits in the queue."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WaitingWork:
    """The state of the queue.

    Attributes:
        queued_batches: batches that wait for a worker.
        running_batches: batches that a worker has, or had when it died.
        oldest_queued_batch_seconds: for how long the oldest one that waits has waited.
        workers: how many are connected to the database.
    """

    queued_batches: int
    running_batches: int
    oldest_queued_batch_seconds: float
    workers: int
