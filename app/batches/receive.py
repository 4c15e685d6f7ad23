"""Classify songs within a request, and store them; or queue them for a worker."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.batches.classifier import CHUNK_ROWS, Drift, SongClassifier
from app.batches.pipeline import BatchOptions, BatchTransaction, Storage, new_batch, record_end
from app.batches.queue import QueueRepository, UploadRepository
from app.batches.repository import BatchRepository
from app.batches.song_parts import PackedPart, SongPart, pack_to_stage
from app.batches.stored_file import CopyingReader, store
from app.batches.stored_songs import Selection, SongExplanations, StoredSongsRepository
from app.catalogue.repository import StoredSong
from app.catalogue.songs import SongRepository
from app.database.engine import SessionFactory
from app.database.tables import BatchRow, BatchStatus, BatchUploadRow
from app.observability.metrics import Metrics
from ml.songs.contract import Songs
from ml.songs.csv_songs import SongFile
from ml.songs.json_songs import SongRecord, read_song_records
from ml.songs.problems import SongFileReport

StoreInput = Callable[[AsyncSession, BatchRow], Awaitable[tuple[str, int]]]
"""Stores what a queued batch needs, in the session's transaction; returns its join key and size in bytes."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ClassifiedSongs:
    """A batch of songs sent as JSON: `songs` are in input order, without duplicates."""

    batch: BatchRow
    songs: Sequence[StoredSong]
    explanations: SongExplanations


@dataclass(frozen=True, slots=True)
class PredictedSongs:
    """Songs that were classified but not stored, in input order; `explanations` are by index in `part`."""

    part: SongPart
    report: SongFileReport
    explanations: SongExplanations


class _FewRowsError(Exception):
    """The file is small enough to be classified within the request."""


@dataclass(frozen=True, slots=True)
class ClassificationService:
    """Classifies songs with one model and stores them, or queues them for workers.

    A batch is all or nothing: its songs and its row in `batches` are written in one transaction.

    Attributes:
        sessions: creates sessions for short transactions.
        writes: creates sessions for storing batches and files; each holds a connection until that is done.
        classifier: its model is the initial model of queued batches, too.
        max_sync_rows: maximum rows classified within the request.
        max_rows: maximum rows of a queued file.
    """

    sessions: SessionFactory
    writes: SessionFactory
    classifier: SongClassifier
    storage: Storage
    metrics: Metrics
    max_sync_rows: int
    max_rows: int

    async def classify_file(
        self, file: BinaryIO, *, name: str, options: BatchOptions, background: bool, client_id: str
    ) -> BatchRow:
        """Classify and store the songs of a CSV file, or queue it.

        If the same client sends the same file with the same options while its queued batch is unfinished, the
        request joins that batch, so that scripts can safely retry.

        Args:
            file: the uploaded bytes, seekable.
            name: the file's name, which must end in `.csv`.
            options: how to classify it.
            background: queue the file regardless of its size.
            client_id: the client that sent it.

        Returns:
            The stored batch, or the queued one if `background` is set or the file exceeds `max_sync_rows`
            rows.

        Raises:
            InvalidSongFileError: the file is invalid; nothing is stored.
            TooManyRowsError: the file has more than `max_rows` rows; nothing is stored.
        """
        batch = new_batch(options, self.classifier.model_version, client_id, file_name=name)
        song_file = SongFile(
            file,
            name=name,
            on_invalid_row=options.on_invalid_row,
            on_missing_value=options.on_missing_value,
            chunk_rows=CHUNK_ROWS,
        )
        song_file.check_name()  # before the batch is stored with it
        if background or await self.classifier.run(self._may_be_large, file):
            store_file = partial(self._store_file, file, options, 0 if background else self.max_sync_rows)
            try:
                return await self._queue_or_join(store_file, options, client_id=client_id, file_name=name)
            except _FewRowsError:
                file.seek(0)
        drift = Drift()
        async with (
            self.writes.begin() as session,
            aclosing(self.classifier.classify_all(song_file, self._pack)) as chunks,
        ):
            transaction = await BatchTransaction(session, batch, self.storage).open()
            async for chunk in chunks:
                await transaction.keep_and_stage(chunk.packed)
                drift.update(chunk.drift)
            batch.drift = drift
            await transaction.finish(song_file.report)
        record_end(batch, self.metrics)
        return batch

    async def classify_songs(
        self, records: Sequence[SongRecord], *, options: BatchOptions, client_id: str
    ) -> ClassifiedSongs:
        """Classify and store songs sent as JSON; see `classify_file` for the arguments.

        Raises:
            InvalidSongsError: a song is invalid; nothing is stored.
        """
        batch = new_batch(options, self.classifier.model_version, client_id)
        songs, report = await self._read(records, options)
        track_ids = songs.track_ids.tolist()
        part, batch.drift = await self.classifier.classify(songs)
        packed = await self.classifier.run(self._pack, part)
        async with self.writes.begin() as session:
            transaction = await BatchTransaction(session, batch, self.storage).open()
            if len(part):
                await transaction.keep_and_stage(packed)
            await transaction.finish(report)
            catalogue = await SongRepository(session).catalogue()
            stored = await catalogue.songs_by_track_ids(track_ids)
        record_end(batch, self.metrics)
        last_rows = {track_id: row for row, track_id in enumerate(track_ids)}
        explanations = SongExplanations(self.classifier, part, last_rows)
        return ClassifiedSongs(batch, [stored[track_id] for track_id in last_rows], explanations)

    async def predict(self, records: Sequence[SongRecord], options: BatchOptions) -> PredictedSongs:
        """Classify songs sent as JSON without storing them.

        Raises:
            InvalidSongsError: a song has an invalid value, and the options do not skip invalid songs.
        """
        songs, report = await self._read(records, options)
        part, _ = await self.classifier.classify(songs)
        rows = {row: row for row in range(len(part))}
        return PredictedSongs(part, report, SongExplanations(self.classifier, part, rows))

    async def reclassify(self, selection: Selection, *, min_confidence: float, client_id: str) -> BatchRow:
        """Queue a batch that reclassifies stored songs with the current model.

        Songs without stored features stay unchanged, and songs with less than `min_confidence` are stored as
        uncertain. If the same client repeats the request while its batch is unfinished, it joins that batch.
        """
        selected = selection.to_json()

        async def count(session: AsyncSession, batch: BatchRow) -> tuple[str, int]:
            batch.rows_uploaded = await StoredSongsRepository(session).count(selection)
            return _join_key("reclassify", client_id, batch.model_version, min_confidence, selected), 0

        options = BatchOptions(min_confidence=min_confidence)
        return await self._queue_or_join(count, options, client_id=client_id, selection=selected)

    @property
    def _pack(self) -> Callable[[SongPart], PackedPart]:
        return partial(pack_to_stage, keeps_features=self.storage.keeps_features)

    async def _read(
        self, records: Sequence[SongRecord], options: BatchOptions
    ) -> tuple[Songs, SongFileReport]:
        return await self.classifier.run(
            read_song_records, records, options.on_invalid_row, options.on_missing_value
        )

    def _may_be_large(self, file: BinaryIO) -> bool:
        """Return whether a file has more lines than `max_sync_rows`, and rewind it."""
        lines = 0
        while lines <= self.max_sync_rows and (data := file.read(2**20)):
            # An upper bound of the rows: quoted cells may contain line breaks. Lines end in \r, \n or both.
            lines += max(data.count(b"\n"), data.count(b"\r"))
        file.seek(0)
        return lines > self.max_sync_rows

    async def _store_file(
        self,
        file: BinaryIO,
        options: BatchOptions,
        max_sync_rows: int,
        session: AsyncSession,
        batch: BatchRow,
    ) -> tuple[str, int]:
        """Store the file of a queued batch, reading it once.

        Raises:
            _FewRowsError: the file has at most `max_sync_rows` rows.
        """
        file.seek(0)
        copying = CopyingReader(file)
        song_file = SongFile(
            copying.file,
            name=batch.file_name or "",
            on_missing_value=options.on_missing_value,
            max_rows=self.max_rows,
        )
        parts = copying.parts(song_file.row_counts())
        read_part = partial(self.classifier.run, next, parts, None)
        digest, size = await store(read_part, partial(UploadRepository(session).add_part, batch.id))
        batch.rows_uploaded = song_file.report.rows
        if batch.rows_uploaded <= max_sync_rows:
            raise _FewRowsError
        choices = (options.on_invalid_row.value, options.on_missing_value.value, options.min_confidence)
        return _join_key(batch.client_id, *choices, digest.hex()), size

    async def _queue_or_join(
        self,
        store_input: StoreInput,
        options: BatchOptions,
        *,
        client_id: str,
        file_name: str | None = None,
        selection: dict[str, Any] | None = None,
    ) -> BatchRow:
        """Queue a batch in one transaction, or join the client's unfinished one with the same key."""
        while True:
            version = self.classifier.model_version
            batch = new_batch(options, version, client_id, file_name=file_name, selection=selection)
            batch.status, batch.started_at = BatchStatus.QUEUED, None
            async with self.writes() as session, session.begin() as transaction:
                upload = BatchUploadRow(
                    batch_id=batch.id,
                    size_bytes=0,
                    on_invalid_row=options.on_invalid_row.value,
                    on_missing_value=options.on_missing_value.value,
                    stored_at=batch.created_at,
                )
                await BatchRepository(session).add(batch, upload)
                join_key, upload.size_bytes = await store_input(session, batch)
                upload.join_key = join_key
                try:
                    await session.flush()  # waits for a concurrent transaction that writes the same key
                except IntegrityError:
                    await transaction.rollback()
                else:
                    await QueueRepository(session).add(batch.id)
                    rows = batch.rows_uploaded
                    log.info("batch queued", batch_id=str(batch.id), client_id=client_id, rows=rows)
                    return batch
            async with self.sessions() as session:
                joined = await UploadRepository(session).batch_of(join_key)
            if joined is not None:  # otherwise it has just ended
                return joined


def _join_key(*request: object) -> str:
    """Return the key that identifies a request."""
    return hashlib.sha256(json.dumps(request).encode()).hexdigest()
