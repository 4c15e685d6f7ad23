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
import numpy.typing as npt
from sqlalchemy.ext.asyncio import AsyncSession

from app.batches.batch import problem_rows
from app.batches.repository import BatchRepository
from app.batches.results import ResultRepository
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


class StagedSongs:
    """Statistics of the staged songs of a batch; parts may be added in any order."""

    def __init__(self, min_confidence: float) -> None:
        """Start without songs.

        Args:
            min_confidence: songs with lower confidence count as uncertain.
        """
        self._min_confidence = min_confidence
        self._parts: list[_StagedPart] = []

    def add(self, part: SongPart) -> None:
        """Add the songs of a part."""
        uncertain = part.confidences < self._min_confidence
        self._parts.append(
            _StagedPart(part.first_ordinal, part.track_ids, part.best.astype(np.int16), uncertain)
        )

    def repeated(self) -> list[int]:
        """Return the ordinals of songs whose track ID is repeated at a higher ordinal."""
        if not self._parts:
            return []
        self._parts.sort(key=lambda part: part.first_ordinal)
        superseded = superseded_rows(np.concatenate([part.track_ids for part in self._parts]))
        ordinals: list[int] = self._ordinals()[superseded].tolist()
        return ordinals

    def counts(self, excluded: Sequence[int], genres: Sequence[str]) -> tuple[dict[str, int], int]:
        """Return the number of songs by genre, and the number of uncertain songs.

        Args:
            excluded: ordinals of songs to exclude.
            genres: genres of the model.
        """
        if not self._parts:
            return {}, 0
        counts = np.ones(sum(len(part.track_ids) for part in self._parts), np.bool_)
        if excluded:
            counts = ~np.isin(self._ordinals(), excluded)
        best = np.concatenate([part.best for part in self._parts])[counts]
        found = np.bincount(best, minlength=len(genres)).tolist()
        by_genre = {genre: count for genre, count in sorted(zip(genres, found, strict=True)) if count}
        uncertain = np.concatenate([part.uncertain for part in self._parts])[counts]
        return by_genre, int(np.count_nonzero(uncertain))

    def _ordinals(self) -> npt.NDArray[np.int64]:
        return np.concatenate([part.first_ordinal + np.arange(len(part.track_ids)) for part in self._parts])


@dataclass(frozen=True, slots=True)
class _StagedPart:
    first_ordinal: int
    track_ids: npt.NDArray[np.int64]
    best: npt.NDArray[np.int16]
    uncertain: npt.NDArray[np.bool_]


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
        self._staged = StagedSongs(batch.min_confidence)

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
        self._staged.add(part)

    async def finish(self, report: SongFileReport, problems: Sequence[SongFileProblem] = ()) -> None:
        """Merge the staged songs into the catalogue, and finish the batch."""
        batch, songs = self._batch, self._songs
        batch.rows_uploaded = report.rows
        if batch.selection is None:
            excluded = await asyncio.to_thread(self._staged.repeated)
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
            await songs.merge_stage(
                batch.id,
                model_version=batch.model_version,
                genres=self._storage.genres,
                classified_at=now,
                min_confidence=batch.min_confidence,
                keeps_features=batch.selection is not None,
            )
        batch.genre_counts, batch.rows_uncertain = self._staged.counts(excluded, self._storage.genres)
        batch.rows_classified = sum(batch.genre_counts.values())
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
