"""Classifying songs: read, predict and store a batch as one unit of work."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

from sqlalchemy.ext.asyncio import AsyncSession

from app.database.engine import SessionFactory
from app.database.tables import BatchRow, BatchStatus, SongRow
from app.metrics.metrics import Metrics
from app.repositories.batches import BatchRepository
from app.repositories.songs import SongRepository
from app.services.background_batches import BackgroundBatches
from app.services.batch_options import BatchOptions
from app.services.batch_rows import new_batch, note_end, problem_rows
from app.services.drift import add_drift
from app.services.reasons import Reasons
from app.services.song_classifier import CHUNK_ROWS, SongClassifier
from ml.csv_records import count_line_ends
from ml.explanation import Explanations, explain
from ml.song_file import SongFile, SongFileReport, TooManyRowsError
from ml.song_records import SongRecord, SongRecordsReport, read_song_records
from ml.songs import Songs


@dataclass(frozen=True, slots=True)
class ClassifiedSongs:
    """A batch that came as JSON.

    Attributes:
        batch: the batch.
        songs: its songs in the order they were sent, repeated ones once.
        reasons: why they got their genres.
    """

    batch: BatchRow
    songs: Sequence[SongRow]
    reasons: Reasons


class ClassificationService:
    """Classifies songs with one model and stores them.

    A batch is all or nothing: its songs and its row in `batches` are written in one transaction,
    which any error rolls back.
    """

    def __init__(
        self,
        sessions: SessionFactory,
        classifier: SongClassifier,
        background: BackgroundBatches,
        metrics: Metrics,
        *,
        max_sync_rows: int,
    ) -> None:
        """Make the service.

        Args:
            sessions: where transactions come from.
            classifier: what decides.
            background: takes the files that are not classified within the request.
            metrics: where batches are counted.
            max_sync_rows: the most rows that are.
        """
        self._sessions = sessions
        self._classifier = classifier
        self._background = background
        self._metrics = metrics
        self._max_sync_rows = max_sync_rows
        # A batch holds a database connection while it runs; readers must find some free.
        self._turns = asyncio.Semaphore(2 * classifier.threads)

    async def classify_file(
        self, file: BinaryIO, *, name: str, options: BatchOptions, background: bool, client_id: str
    ) -> BatchRow:
        """Classify and store the songs of a CSV file, or queue it.

        Args:
            file: the uploaded bytes, seekable.
            name: the file's name, which must end in `.csv`.
            options: how to classify it.
            background: queue it however small it is.
            client_id: who sent it.

        Returns:
            The stored batch; or the queued one, if the file has more rows than a request may or `background`.

        Raises:
            InvalidSongFileError: the file is refused; nothing is stored.
            TooManyRowsError: it has more rows than even the background takes; nothing is stored.
        """
        created_at = datetime.now(UTC)
        if background or await self._classifier.run(self._is_large, file, name):
            return await self._background.queue(file, name=name, options=options, client_id=client_id)
        song_file = SongFile(file, name=name, on_invalid_row=options.on_invalid_row, chunk_rows=CHUNK_ROWS)
        batch = self._new_batch(name, client_id, created_at, options.min_confidence)
        async with (
            self._turns,
            self._sessions.begin() as session,
            aclosing(self._classifier.classify_file(song_file)) as chunks,
        ):
            songs = SongRepository(session)
            await songs.open_stage()
            rows_staged = 0
            batch.drift = {}
            async for chunk in chunks:
                await songs.stage(chunk.songs)
                rows_staged += len(chunk.songs)
                batch.drift = add_drift(batch.drift, chunk.drift)
            await self._store(session, batch, song_file.report, rows_staged)
            await BatchRepository(session).add_problems(problem_rows(batch.id, song_file.report.problems))
        note_end(batch, self._metrics)
        return batch

    async def classify_songs(
        self, records: Sequence[SongRecord], *, options: BatchOptions, client_id: str
    ) -> ClassifiedSongs:
        """Classify and store songs that came as JSON; the arguments are those of `classify_file`.

        Raises:
            InvalidSongsError: the songs are refused; nothing is stored.
        """
        created_at = datetime.now(UTC)
        songs, report = await self._classifier.run(lambda: read_song_records(records, options.on_invalid_row))
        track_ids = songs.track_ids.tolist()
        batch = self._new_batch(None, client_id, created_at, options.min_confidence)
        async with self._turns, self._sessions.begin() as session:
            repository = SongRepository(session)
            await repository.open_stage()
            staged, batch.drift = await self._classifier.classify(songs)
            await repository.stage(staged)
            await self._store(session, batch, report, len(songs))
            stored = await repository.by_track_ids(track_ids)
        note_end(batch, self._metrics)
        rows = [stored[track_id] for track_id in dict.fromkeys(track_ids)]
        return ClassifiedSongs(batch, rows, self._reasons(songs, rows))

    def _is_large(self, file: BinaryIO, name: str) -> bool:
        # Rows end lines, so that few line ends, which are quickly counted, settle it for most files.
        large = count_line_ends(file) > self._max_sync_rows
        file.seek(0)
        if large:
            large = False
            try:
                SongFile(file, name=name, max_rows=self._max_sync_rows).count_rows()
            except TooManyRowsError:
                large = True
            file.seek(0)
        return large

    def _reasons(self, songs: Songs, rows: Sequence[SongRow]) -> Reasons:
        last = {track_id: place for place, track_id in enumerate(songs.track_ids.tolist())}
        track_ids = [row.track_id for row in rows]
        genres = [row.genre for row in rows]

        def work() -> Explanations:
            chosen = songs.take([last[track_id] for track_id in track_ids])
            return explain(self._classifier.ensemble, chosen, genres)

        return Reasons(track_ids, lambda: self._classifier.run(work))

    def _new_batch(
        self, file_name: str | None, client_id: str, created_at: datetime, min_confidence: float
    ) -> BatchRow:
        return new_batch(
            file_name=file_name,
            client_id=client_id,
            created_at=created_at,
            min_confidence=min_confidence,
            model_version=self._classifier.model_version,
        )

    async def _store(
        self,
        session: AsyncSession,
        batch: BatchRow,
        report: SongFileReport | SongRecordsReport,
        rows_staged: int,
    ) -> None:
        batch.rows_uploaded = batch.rows_processed = report.rows
        batch.rows_with_missing_values = report.rows_with_missing_values
        batch.rows_invalid = report.rows_invalid
        batch.problem_count = report.problem_count
        await BatchRepository(session).add(batch)
        merged = await SongRepository(session).merge_stage(
            batch.id, batch.model_version, batch.created_at, min_confidence=batch.min_confidence
        )
        batch.genre_counts = merged.genre_counts
        batch.rows_uncertain = merged.uncertain
        batch.rows_classified = sum(merged.genre_counts.values())
        batch.rows_duplicated = rows_staged - batch.rows_classified
        batch.status = BatchStatus.SUCCEEDED
        batch.finished_at = datetime.now(UTC)
