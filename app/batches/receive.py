"""Classify songs within a request, and store them; or queue them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from app.batches.background import BackgroundBatches
from app.batches.classifier import CHUNK_ROWS, Drift, SongClassifier
from app.batches.pipeline import BatchOptions, BatchTransaction, Storage, new_batch, note_end
from app.batches.song_parts import PackedPart, SongPart, pack_to_stage
from app.batches.stored_songs import SongExplanations
from app.catalogue.repository import StoredSong
from app.catalogue.songs import SongRepository
from app.database.engine import SessionFactory
from app.database.tables import BatchRow
from app.observability.metrics import Metrics
from ml.songs.contract import Songs
from ml.songs.csv_songs import SongFile
from ml.songs.json_songs import SongRecord, read_song_records
from ml.songs.problems import SongFileReport


@dataclass(frozen=True, slots=True)
class ClassifiedSongs:
    """A batch of songs sent as JSON.

    Attributes:
        batch: the batch.
        songs: its songs in input order, without duplicates.
        explanations: explanations of their genres.
    """

    batch: BatchRow
    songs: Sequence[StoredSong]
    explanations: SongExplanations


@dataclass(frozen=True, slots=True)
class PredictedSongs:
    """Songs that were classified but not stored.

    Attributes:
        part: the songs, in input order.
        report: problems found in the input.
        explanations: explanations, by index in `part`.
    """

    part: SongPart
    report: SongFileReport
    explanations: SongExplanations


@dataclass(frozen=True, slots=True)
class ClassificationService:
    """Classifies songs with one model and stores them.

    A batch is all or nothing: its songs and its row in `batches` are written in one transaction.

    Attributes:
        sessions: their pool must not be the one of readers, because each batch holds a connection until it
            is stored.
        background: queues files that are not classified within the request.
        max_sync_rows: maximum rows classified within the request.
    """

    sessions: SessionFactory
    classifier: SongClassifier
    background: BackgroundBatches
    storage: Storage
    metrics: Metrics
    max_sync_rows: int

    async def classify_file(
        self, file: BinaryIO, *, name: str, options: BatchOptions, background: bool, client_id: str
    ) -> BatchRow:
        """Classify and store the songs of a CSV file, or queue it.

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
            TooManyRowsError: the file has too many rows for a background batch; nothing is stored.
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
            queued = await self.background.queue(
                file,
                name=name,
                options=options,
                client_id=client_id,
                more_rows_than=0 if background else self.max_sync_rows,
            )
            if queued is not None:
                return queued
        drift = Drift()
        async with (
            self.sessions.begin() as session,
            aclosing(self.classifier.classify_all(song_file, self._pack)) as chunks,
        ):
            transaction = await BatchTransaction(session, batch, self.storage).open()
            async for chunk in chunks:
                await transaction.keep_and_stage(chunk.packed)
                drift.update(chunk.drift)
            batch.drift = drift
            await transaction.finish(song_file.report)
        note_end(batch, self.metrics)
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
        async with self.sessions.begin() as session:
            transaction = await BatchTransaction(session, batch, self.storage).open()
            if len(part):
                await transaction.keep_and_stage(packed)
            await transaction.finish(report)
            catalogue = await SongRepository(session).catalogue()
            stored = await catalogue.songs_by_track_ids(track_ids)
        note_end(batch, self.metrics)
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
