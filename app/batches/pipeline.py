"""The pipeline from songs to the catalogue: read, classify, stage, merge; shared by requests and workers.

A request stages each chunk in the transaction that stores the batch. A worker first stores each chunk as a
compressed part, in a transaction with the read position, and stages all parts at the end. In both cases the
parts become the results of the batch, and the same merge follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from app.batches.batch import problem_rows
from app.batches.repository import BatchRepository, ResultRepository
from app.batches.song_parts import STAGE_COLUMNS, PackedPart, SongPart
from app.catalogue.songs import SongRepository
from app.database.tables import BatchRow, BatchStatus
from app.observability.tracing import step
from app.settings import Settings
from ml.songs.contract import superseded_rows
from ml.songs.problems import SongFileProblem, SongFileReport


@dataclass(frozen=True, slots=True)
class Storage:
    """Storage options of batches.

    Attributes:
        genres: genres of the model.
        keeps_features: whether to store the features of songs.
        result_retention: how long the results of a batch can be downloaded.
    """

    genres: Sequence[str]
    keeps_features: bool
    result_retention: timedelta

    @classmethod
    def of(cls, settings: Settings, genres: Sequence[str]) -> Storage:
        """Return the storage options of the settings."""
        retention = timedelta(hours=settings.result_retention_hours)
        return cls(genres, keeps_features=settings.keep_features, result_retention=retention)


_STAGED = np.dtype([("track_id", np.int64), ("genre", np.int16), ("uncertain", np.bool_)])
"""What is remembered of each staged song, to count it."""


class BatchTransaction:
    """The transaction that stores a batch: `open`, `stage` each part in order, `finish`."""

    def __init__(self, session: AsyncSession, batch: BatchRow, storage: Storage) -> None:
        """Create it.

        Args:
            session: session of the transaction.
            batch: an unfinished batch, already added to the database.
            storage: storage options.
        """
        self._session = session
        self._batch = batch
        self._storage = storage
        self._songs = SongRepository(session)
        self._results = ResultRepository(session)
        self._staged = [np.empty(0, _STAGED)]

    async def open(self) -> None:
        """Create the staging table."""
        await self._songs.open_stage()

    async def keep_and_stage(self, packed: PackedPart) -> None:
        """Store the results of the next part, and stage its songs."""
        assert packed.rows is not None
        await self._results.add(self._batch.id, packed)
        await self.stage(packed.part, packed.rows)

    async def stage(self, part: SongPart, rows: bytes) -> None:
        """Stage the songs of the next part, encoded by `copy_rows`."""
        await self._songs.stage(STAGE_COLUMNS, rows)
        staged = np.empty(len(part), _STAGED)
        staged["track_id"], staged["genre"] = part.track_ids, part.best
        staged["uncertain"] = part.confidences < self._batch.min_confidence
        self._staged.append(staged)

    async def finish(self, report: SongFileReport, problems: Sequence[SongFileProblem] = ()) -> None:
        """Merge the staged songs into the catalogue, and finish the batch."""
        batch, songs = self._batch, self._songs
        staged = np.concatenate(self._staged)
        batch.rows_uploaded = report.rows
        if batch.selection is None:
            superseded = await asyncio.to_thread(superseded_rows, staged["track_id"])
            excluded: list[int] = np.flatnonzero(superseded).tolist()
            batch.rows_duplicated = len(excluded)
            if excluded:
                await songs.exclude(excluded)
        else:
            # Exclude songs that were uploaded again or deleted since they were read.
            excluded = await songs.exclude_changed()
            batch.rows_uploaded -= len(excluded)
        batch.rows_processed = batch.rows_uploaded
        now = datetime.now(UTC)
        with step("merge"):
            await songs.merge_stage(batch, self._storage.genres, classified_at=now)
        stored = np.delete(staged, excluded)
        counts = np.bincount(stored["genre"], minlength=len(self._storage.genres)).tolist()
        by_genre = sorted(zip(self._storage.genres, counts, strict=True))
        batch.genre_counts = {genre: count for genre, count in by_genre if count}
        batch.rows_uncertain = int(np.count_nonzero(stored["uncertain"]))
        batch.rows_classified = len(stored)
        batch.rows_with_missing_values = report.rows_with_missing_values
        batch.rows_classified_with_missing_values = report.rows_with_missing_values_classified
        batch.rows_invalid = report.rows_invalid
        batch.problem_count = report.problem_count
        batch.status = BatchStatus.SUCCEEDED
        batch.waiting_reason = None
        batch.finished_at = now
        batch.results_until = now + self._storage.result_retention
        await self._results.exclude(batch.id, excluded)
        await BatchRepository(self._session).add_problems(problem_rows(batch.id, problems))
