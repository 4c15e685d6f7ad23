"""A batch from its creation to its end: read, classify, stage, merge; shared by requests and workers.

A request stages each chunk in the transaction that stores the batch. A worker first stores each chunk as a
compressed part, in a transaction with the read position, and stages all parts at the end. In both cases the
parts become the results of the batch, and the same merge follows.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import numpy as np
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.batches.repository import BatchRepository, ResultRepository
from app.batches.song_parts import STAGE_COLUMNS, PackedPart, SongPart
from app.catalogue.errors import InvalidArgumentError
from app.catalogue.songs import SongRepository
from app.clients.roles import Caller
from app.database.tables import BatchRow, BatchStatus
from app.observability.metrics import Metrics
from app.observability.tracing import step
from app.settings import Settings
from ml.songs.contract import superseded_rows
from ml.songs.problems import OnInvalidRow, OnMissingValue, SongFileReport

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """Options of a batch.

    Attributes:
        on_invalid_row: reject the file, or skip invalid rows.
        on_missing_value: skip rows with missing values, or classify them from the values they have.
        min_confidence: from 0 to 1; songs with lower confidence are stored as uncertain.
    """

    on_invalid_row: OnInvalidRow = OnInvalidRow.REJECT_FILE
    on_missing_value: OnMissingValue = OnMissingValue.SKIP_ROW
    min_confidence: float = 0.0

    def checked(self, argument: str) -> BatchOptions:
        """Return the options after checking their ranges.

        Raises:
            InvalidArgumentError: `min_confidence` is out of range; the message names `argument`.
        """
        if not 0 <= self.min_confidence <= 1:
            problem = f"must be from 0 to 1, not {self.min_confidence:g}"
            raise InvalidArgumentError(f"{argument}.minConfidence", problem)
        return self


@dataclass(frozen=True, slots=True)
class Storage:
    """How to store batches: genres of the model, whether to keep features, and for how long the results."""

    genres: Sequence[str]
    keeps_features: bool
    result_retention: timedelta

    @classmethod
    def of(cls, settings: Settings, genres: Sequence[str]) -> Storage:
        """Return the storage options of the settings."""
        retention = timedelta(hours=settings.result_retention_hours)
        return cls(genres, keeps_features=settings.keep_features, result_retention=retention)


def new_batch(
    options: BatchOptions,
    model_version: str,
    client_id: str,
    *,
    file_name: str | None = None,
    selection: dict[str, Any] | None = None,
) -> BatchRow:
    """Return a new batch without results, created and started now."""
    now = datetime.now(UTC)
    return BatchRow(
        id=uuid.uuid4(),
        file_name=file_name,
        client_id=client_id,
        status=BatchStatus.RUNNING,
        min_confidence=options.min_confidence,
        model_version=model_version,
        selection=selection,
        created_at=now,
        started_at=now,
    )


def check_visible(batch: BatchRow | None, caller: Caller, argument: str = "id") -> BatchRow:
    """Return a batch that exists and is visible to the caller.

    Raises:
        InvalidArgumentError: it is not; the message names `argument`.
    """
    if batch is None or not caller.may_see(batch.client_id):
        raise InvalidArgumentError(argument, "there is no such batch")
    return batch


def set_counts(batch: BatchRow, report: SongFileReport) -> None:
    """Set the counts of a batch whose songs were read to the end, or up to where its file is unreadable."""
    batch.rows_uploaded = batch.rows_processed = report.rows
    batch.rows_with_missing_values = report.rows_with_missing_values
    batch.rows_invalid = report.rows_invalid
    batch.problem_count = report.problem_count


def end(batch: BatchRow, status: BatchStatus, error: str | None = None) -> None:
    """End a batch now; call `record_end` when that is stored."""
    batch.status = status
    batch.error = error
    batch.waiting_reason = None
    batch.finished_at = datetime.now(UTC)


def record_end(batch: BatchRow, metrics: Metrics) -> None:
    """Log and count the end of a batch."""
    seconds = ((batch.finished_at or batch.created_at) - batch.created_at).total_seconds()
    metrics.record_batch(str(batch.status), seconds)
    log.info(
        "batch ended",
        batch_id=str(batch.id),
        client_id=batch.client_id,
        status=str(batch.status),
        rows=batch.rows_uploaded,
        songs=batch.rows_classified,
        uncertain=batch.rows_uncertain,
        model_version=batch.model_version,
        drift=batch.drift,
        seconds=round(seconds, 3),
    )


_STAGED = np.dtype([("track_id", np.int64), ("genre", np.int16), ("uncertain", np.bool_)])
"""What is kept of each staged song, for the counts of the batch."""


class BatchTransaction:
    """The transaction that stores a batch: `open`, `stage` each part in order, `finish`."""

    def __init__(self, session: AsyncSession, batch: BatchRow, storage: Storage) -> None:
        """Create it for an unfinished batch, which `open` adds to the database unless it is there."""
        self._batch = batch
        self._storage = storage
        self._batches = BatchRepository(session)
        self._songs = SongRepository(session)
        self._results = ResultRepository(session)
        self._staged = [np.empty(0, _STAGED)]

    async def open(self) -> Self:
        """Add the batch and create the staging table; return the transaction."""
        await self._batches.add(self._batch)
        await self._songs.open_stage()
        return self

    async def keep_and_stage(self, packed: PackedPart) -> None:
        """Store the results of the next part, and stage its songs."""
        await self._results.add(self._batch.id, packed)
        await self.stage(packed.part, packed.rows)

    async def stage(self, part: SongPart, rows: bytes) -> None:
        """Stage the songs of the next part, encoded by `copy_rows`."""
        await self._songs.stage(STAGE_COLUMNS, rows)
        staged = np.empty(len(part), _STAGED)
        staged["track_id"], staged["genre"] = part.track_ids, part.best
        staged["uncertain"] = part.confidences < self._batch.min_confidence
        self._staged.append(staged)

    async def finish(self, report: SongFileReport) -> None:
        """Merge the staged songs into the catalogue, and finish the batch."""
        batch, songs, genres = self._batch, self._songs, self._storage.genres
        staged = np.concatenate(self._staged)
        set_counts(batch, report)
        if batch.selection is None:
            superseded = await asyncio.to_thread(superseded_rows, staged["track_id"])
            excluded: list[int] = np.flatnonzero(superseded).tolist()
            batch.rows_duplicated = len(excluded)
            if excluded:
                await songs.exclude(excluded)
        else:
            # Exclude songs that were uploaded again or deleted since they were read.
            excluded = await songs.exclude_changed()
            batch.rows_uploaded = batch.rows_processed = report.rows - len(excluded)
        end(batch, BatchStatus.SUCCEEDED)
        assert batch.finished_at is not None
        with step("merge"):
            await songs.merge_stage(batch, genres, classified_at=batch.finished_at)
        stored = np.delete(staged, excluded)
        counts = np.bincount(stored["genre"], minlength=len(genres)).tolist()
        batch.genre_counts = {genre: n for genre, n in sorted(zip(genres, counts, strict=True)) if n}
        batch.rows_uncertain = int(np.count_nonzero(stored["uncertain"]))
        batch.rows_classified = len(stored)
        batch.rows_classified_with_missing_values = report.rows_with_missing_values_classified
        batch.results_until = batch.finished_at + self._storage.result_retention
        await self._results.exclude(batch.id, excluded)
        if batch.file_name is not None:  # the problems of a list of songs have no lines
            await self._batches.add_problems(batch.id, report.problems)
