"""Classifying songs: read, predict and store a batch as one unit of work."""

from __future__ import annotations

import asyncio
import os
import threading
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, TypeVar

import numpy as np
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.database.engine import SessionFactory
from app.database.tables import BatchProblemRow, BatchRow, BatchStatus, SongRow
from app.repositories.batches import BatchRepository
from app.repositories.models import ModelRepository
from app.repositories.songs import SongRepository, StagedSong, fold
from app.services.errors import InvalidArgumentError
from ml.ensemble import Ensemble
from ml.explanation import Explanations, FeatureContribution, explain
from ml.song_file import OnInvalidRow, SongFile, SongFileReport
from ml.song_records import SongRecord, SongRecordsReport, read_song_records
from ml.songs import Songs

Result = TypeVar("Result")

CHUNK_ROWS = 2_000
"""Songs that are read, classified and written together: enough to be quick, few enough to be small."""

MAX_REASONS = 20
"""The most features that an explanation of one song names."""

log = structlog.get_logger(__name__)


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


class Reasons:
    """Why the songs of one request got their genres: worked out for all of them when first asked for."""

    def __init__(
        self, track_ids: Sequence[int], explain_songs: Callable[[], asyncio.Future[Explanations]]
    ) -> None:
        """Make the reasons.

        Args:
            track_ids: of the songs, each once.
            explain_songs: starts the work, in another thread; its rows are in the order of `track_ids`.
        """
        self._rows = {track_id: row for row, track_id in enumerate(track_ids)}
        self._explain_songs = explain_songs
        self._running: asyncio.Future[Explanations] | None = None

    async def strongest(self, track_id: int, first: int) -> list[FeatureContribution]:
        """Return the features that spoke most for a song's genre, strongest first.

        Args:
            track_id: of one of the songs.
            first: how many at most, from 0 to 20.

        Raises:
            InvalidArgumentError: `first` is out of range.
        """
        if not 0 <= first <= MAX_REASONS:
            raise InvalidArgumentError("first", f"must be from 0 to {MAX_REASONS}, not {first}")
        if self._running is None:
            self._running = self._explain_songs()
        # Shielded: whoever stops waiting must not take it from the other songs.
        explanations = await asyncio.shield(self._running)
        return explanations.strongest(self._rows[track_id], first)


class ClassificationService:
    """Classifies songs with one model and stores them.

    A batch is all or nothing: its songs and its row in `batches` are written in one transaction,
    which any error rolls back.
    """

    def __init__(self, sessions: SessionFactory, ensemble: Ensemble, *, max_sync_rows: int) -> None:
        """Make the service.

        Args:
            sessions: where transactions come from.
            ensemble: the model that decides.
            max_sync_rows: the most rows that one request may hold.
        """
        self._sessions = sessions
        self._ensemble = ensemble
        self._max_sync_rows = max_sync_rows
        self._threads = os.cpu_count() or 1
        # Parsing and predicting are CPU work: on these threads, as many as there are cores, so that
        # the event loop keeps answering however many uploads arrive.
        self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="classify")
        # A batch holds a database connection while it runs; readers must find some free.
        self._turns = asyncio.Semaphore(2 * self._threads)

    def close(self) -> None:
        """Let running CPU work end and free its threads."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    async def register_model(self) -> None:
        """Remember the model in the database; call it once before the first batch."""
        manifest = self._ensemble.manifest
        async with self._sessions.begin() as session:
            await ModelRepository(session).register(manifest.model_version, manifest.to_json())

    async def classify_file(
        self,
        file: BinaryIO,
        *,
        name: str,
        on_invalid_row: OnInvalidRow,
        min_confidence: float,
        client_id: str,
    ) -> BatchRow:
        """Classify and store the songs of a CSV file.

        Args:
            file: the uploaded bytes, seekable.
            name: the file's name, which must end in `.csv`.
            on_invalid_row: refuse the whole file for a wrong row, or leave the row out.
            min_confidence: from 0 to 1; songs of lower confidence are stored as uncertain.
            client_id: who sent it.

        Raises:
            InvalidSongFileError: the file is refused; nothing is stored.
            TooManyRowsError: it has more rows than one request may; nothing is stored.
        """
        created_at = datetime.now(UTC)
        song_file = SongFile(
            file,
            name=name,
            on_invalid_row=on_invalid_row,
            chunk_rows=CHUNK_ROWS,
            max_rows=self._max_sync_rows,
        )
        async with (
            self._turns,
            self._sessions.begin() as session,
            aclosing(self._classified(song_file)) as chunks,
        ):
            songs = SongRepository(session)
            await songs.open_stage()
            rows_staged = 0
            async for chunk in chunks:
                await songs.stage(chunk)
                rows_staged += len(chunk)
            batch = self._new_batch(name, client_id, created_at, song_file.report, min_confidence)
            await self._store(session, batch, rows_staged)
            problems = _problem_rows(batch, song_file.report)
            await BatchRepository(session).add_problems(problems)
        _log_stored(batch)
        return batch

    async def classify_songs(
        self,
        records: Sequence[SongRecord],
        *,
        on_invalid_row: OnInvalidRow,
        min_confidence: float,
        client_id: str,
    ) -> ClassifiedSongs:
        """Classify and store songs that came as JSON; the arguments are those of `classify_file`.

        Raises:
            InvalidSongsError: the songs are refused; nothing is stored.
        """
        created_at = datetime.now(UTC)
        songs, report = await self._run(lambda: read_song_records(records, on_invalid_row))
        track_ids = songs.track_ids.tolist()
        async with self._turns, self._sessions.begin() as session:
            repository = SongRepository(session)
            await repository.open_stage()
            await repository.stage(await self._run(self._classify, songs, 0, self._threads))
            batch = self._new_batch(None, client_id, created_at, report, min_confidence)
            await self._store(session, batch, len(songs))
            stored = await repository.by_track_ids(track_ids)
        _log_stored(batch)
        rows = [stored[track_id] for track_id in dict.fromkeys(track_ids)]
        return ClassifiedSongs(batch, rows, self._reasons(songs, rows))

    def _reasons(self, songs: Songs, rows: Sequence[SongRow]) -> Reasons:
        last = {track_id: place for place, track_id in enumerate(songs.track_ids.tolist())}
        track_ids = [row.track_id for row in rows]
        genres = [row.genre for row in rows]

        def work() -> Explanations:
            return explain(self._ensemble, songs.take([last[track_id] for track_id in track_ids]), genres)

        return Reasons(track_ids, lambda: self._run(work))

    async def _store(self, session: AsyncSession, batch: BatchRow, rows_staged: int) -> None:
        await BatchRepository(session).add(batch)
        merged = await SongRepository(session).merge_stage(
            batch.id, batch.model_version, batch.created_at, min_confidence=batch.min_confidence
        )
        batch.genre_counts = merged.genre_counts
        batch.rows_uncertain = merged.uncertain
        batch.rows_classified = sum(batch.genre_counts.values())
        batch.rows_duplicated = rows_staged - batch.rows_classified
        batch.status = BatchStatus.SUCCEEDED
        batch.finished_at = datetime.now(UTC)

    def _new_batch(
        self,
        file_name: str | None,
        client_id: str,
        created_at: datetime,
        report: SongFileReport | SongRecordsReport,
        min_confidence: float,
    ) -> BatchRow:
        return BatchRow(
            id=uuid.uuid4(),
            file_name=file_name,
            client_id=client_id,
            status=BatchStatus.RUNNING,
            rows_uploaded=report.rows,
            rows_with_missing_values=report.rows_with_missing_values,
            rows_invalid=report.rows_invalid,
            rows_duplicated=0,
            rows_classified=0,
            problem_count=report.problem_count,
            min_confidence=min_confidence,
            rows_uncertain=0,
            genre_counts={},
            model_version=self._ensemble.manifest.model_version,
            created_at=created_at,
            started_at=created_at,
            finished_at=None,
        )

    async def _classified(self, song_file: SongFile) -> AsyncGenerator[list[StagedSong], None]:
        """Read and classify a file on all cores; its chunks come as they are ready, in no order."""
        reader = _ChunkReader(song_file)
        running = {self._run(self._classify_next, reader) for _ in range(self._threads)}
        done: set[asyncio.Future[list[StagedSong] | None]] = set()
        try:
            while running:
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for finished in done:
                    chunk = await finished
                    if chunk is not None:
                        running.add(self._run(self._classify_next, reader))
                        yield chunk
        finally:
            # The upload is closed when the request ends: no thread may still be reading it then.
            await asyncio.gather(*running, *done, return_exceptions=True)

    def _classify_next(self, reader: _ChunkReader) -> list[StagedSong] | None:
        read = reader.next()
        if read is None:
            return None
        songs, ordinal, is_whole_file = read
        # Chunks of a larger file keep the other cores busy; a small file has one to share among them.
        return self._classify(songs, ordinal, self._threads if is_whole_file else 1)

    def _classify(self, songs: Songs, ordinal: int, threads: int) -> list[StagedSong]:
        probabilities = self._ensemble.predict(songs, threads=threads)
        best = probabilities.argmax(axis=1)
        confidences = probabilities[np.arange(len(songs)), best]
        genres = [self._ensemble.genres[index] for index in best.tolist()]
        return list(
            zip(
                range(ordinal, ordinal + len(songs)),
                songs.track_ids.tolist(),
                songs.titles,
                map(fold, songs.titles),
                genres,
                confidences.tolist(),
                probabilities.tolist(),
                strict=True,
            )
        )

    def _run(self, work: Callable[..., Result], *arguments: object) -> asyncio.Future[Result]:
        return asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)


class _ChunkReader:
    """Hands the chunks of a file to several threads, one at a time, and tells each its place."""

    def __init__(self, song_file: SongFile) -> None:
        self._chunks = song_file.chunks()
        self._lock = threading.Lock()
        self._songs_read = 0

    def next(self) -> tuple[Songs, int, bool] | None:
        """Return songs, the number of songs before them, and whether the file is as good as read."""
        with self._lock:
            songs = next(self._chunks, None)
            if songs is None:
                return None
            ordinal = self._songs_read
            self._songs_read += len(songs)
        return songs, ordinal, ordinal == 0 and len(songs) < CHUNK_ROWS


def _problem_rows(batch: BatchRow, report: SongFileReport) -> list[BatchProblemRow]:
    return [
        BatchProblemRow(
            batch_id=batch.id,
            position=position,
            kind=problem.kind.value,
            line=problem.line,
            column_name=problem.column,
            value=problem.value,
            message=problem.message,
        )
        for position, problem in enumerate(report.problems)
    ]


def _log_stored(batch: BatchRow) -> None:
    log.info(
        "batch stored",
        batch_id=str(batch.id),
        client_id=batch.client_id,
        rows=batch.rows_uploaded,
        songs=batch.rows_classified,
        uncertain=batch.rows_uncertain,
        model_version=batch.model_version,
        seconds=round(((batch.finished_at or batch.created_at) - batch.created_at).total_seconds(), 3),
    )
