"""Queue and cancel background batches."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.batches.classifier import SongClassifier
from app.batches.pipeline import BatchOptions, end, new_batch, note_end, visible
from app.batches.queue import QueueRepository, UploadBusyError, UploadRepository
from app.batches.repository import BatchRepository, ResultRepository
from app.batches.stored_file import CopyingReader, store
from app.batches.stored_songs import Selection, StoredSongsRepository
from app.catalogue.errors import InvalidArgumentError
from app.clients.roles import Caller
from app.database.engine import SessionFactory
from app.database.tables import BatchRow, BatchStatus, BatchUploadRow
from app.observability.metrics import Metrics
from ml.songs.csv_songs import SongFile

CANCEL_TIMEOUT_SECONDS = 3
"""How long a cancellation waits for a worker's transaction; the final merge of a large batch takes longer."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BackgroundBatches:
    """Queues files for workers and cancels unfinished batches.

    Attributes:
        sessions: creates sessions for short transactions.
        writes: creates sessions for storing files, which hold a connection for longer.
        classifier: its threads scan the files; its model is the initial model of the batches.
        max_rows: maximum rows per file.
    """

    sessions: SessionFactory
    writes: SessionFactory
    classifier: SongClassifier
    metrics: Metrics
    max_rows: int

    async def queue(
        self, file: BinaryIO, *, name: str, options: BatchOptions, client_id: str, more_rows_than: int
    ) -> BatchRow | None:
        """Store a file and queue its batch in one transaction, reading the file once.

        If the same client sends the same file with the same options while its batch is unfinished, the
        request joins that batch, so that scripts can safely retry.

        Args:
            file: the uploaded bytes, seekable.
            name: the file's name, which must end in `.csv`.
            options: how to classify it.
            client_id: the client that sent it.
            more_rows_than: files with no more rows than this are not queued but rewound.

        Returns:
            The batch, or None if the file has at most `more_rows_than` rows.

        Raises:
            InvalidSongFileError: the file is not a valid song file; nothing is stored.
            TooManyRowsError: the file has more than `max_rows` rows; nothing is stored.
        """

        async def store_file(session: AsyncSession, batch: BatchRow) -> tuple[str, int]:
            file.seek(0)
            copying = CopyingReader(file)
            song_file = SongFile(
                copying.file, name=name, on_missing_value=options.on_missing_value, max_rows=self.max_rows
            )
            parts = copying.parts(song_file.row_counts())
            read_part = partial(self.classifier.run, next, parts, None)
            digest, size = await store(read_part, partial(UploadRepository(session).add_part, batch.id))
            batch.rows_uploaded = song_file.report.rows
            if batch.rows_uploaded <= more_rows_than:
                raise _FewRowsError
            how = (options.on_invalid_row.value, options.on_missing_value.value, options.min_confidence)
            return _join_key(client_id, *how, digest.hex()), size

        try:
            return await self._queue_or_join(store_file, options, file_name=name, client_id=client_id)
        except _FewRowsError:
            file.seek(0)
            return None

    async def reclassify(self, selection: Selection, *, min_confidence: float, client_id: str) -> BatchRow:
        """Queue a batch that reclassifies stored songs with the current model.

        Songs without stored features stay unchanged. If the same client repeats the request while its batch
        is unfinished, it joins that batch.

        Args:
            selection: which songs.
            min_confidence: songs with lower confidence are stored as uncertain.
            client_id: the client that sent the request.
        """
        which = selection.to_json()
        join_key = _join_key("reclassify", client_id, self.classifier.model_version, min_confidence, which)

        async def count(session: AsyncSession, batch: BatchRow) -> tuple[str, int]:
            batch.rows_uploaded = await StoredSongsRepository(session).count(selection)
            return join_key, 0

        options = BatchOptions(min_confidence=min_confidence)
        return await self._queue_or_join(count, options, client_id=client_id, selection=which)

    async def cancel(self, batch_id: uuid.UUID, caller: Caller) -> BatchRow:
        """Cancel an unfinished batch and delete its file; a finished batch stays unchanged.

        Raises:
            InvalidArgumentError: the batch does not exist or is not visible to the caller, or its songs are
                being stored.
        """
        async with self.sessions.begin() as session:
            try:
                upload, batch = await UploadRepository(session).locked(
                    batch_id, timeout_seconds=CANCEL_TIMEOUT_SECONDS
                )
            except UploadBusyError:
                raise InvalidArgumentError(
                    "id", "the batch cannot be cancelled: its songs are already being stored"
                ) from None
            batch = visible(batch, caller)
            if upload is not None and not BatchStatus(batch.status).is_final:
                end(batch, BatchStatus.CANCELLED)
                await ResultRepository(session).remove(batch_id)
                await UploadRepository(session).remove(batch_id)
                note_end(batch, self.metrics)
        return batch

    async def _queue_or_join(
        self,
        store_songs: Callable[[AsyncSession, BatchRow], Awaitable[tuple[str, int]]],
        options: BatchOptions,
        *,
        client_id: str,
        file_name: str | None = None,
        selection: dict[str, Any] | None = None,
    ) -> BatchRow:
        """Queue a batch, or join the client's unfinished one with the same key.

        `store_songs` stores what the batch needs in the session's transaction, and returns its key and size.
        """
        while True:
            model_version = self.classifier.model_version
            batch = new_batch(options, model_version, client_id, file_name=file_name, selection=selection)
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
                join_key, upload.size_bytes = await store_songs(session, batch)
                upload.join_key = join_key
                try:
                    await session.flush()  # waits for a concurrent transaction that writes the same key
                except IntegrityError:
                    await transaction.rollback()
                else:
                    await QueueRepository(session).add(batch.id)
                    facts = {"batch_id": str(batch.id), "client_id": client_id, "rows": batch.rows_uploaded}
                    log.info("batch queued", **facts)
                    return batch
            async with self.sessions() as session:
                joined = await UploadRepository(session).batch_of(join_key)
            if joined is not None:  # otherwise it has just ended
                return joined


class _FewRowsError(Exception):
    """The file is small enough to be classified within the request."""


def _join_key(*request: object) -> str:
    """Return the key that identifies a request."""
    return hashlib.sha256(json.dumps(request).encode()).hexdigest()
