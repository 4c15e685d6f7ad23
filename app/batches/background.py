"""Queue and cancel background batches."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, BinaryIO

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.batches.batch import BatchOptions, new_batch, new_upload, note_end
from app.batches.classifier import SongClassifier
from app.batches.queue import QueueRepository, UploadBusyError, UploadRepository
from app.batches.repository import BatchRepository, ResultRepository
from app.batches.stored_file import StoringReader
from app.batches.stored_songs import Selection, StoredSongsRepository
from app.catalogue.errors import InvalidArgumentError
from app.clients.roles import Caller
from app.database.engine import SessionFactory
from app.database.tables import BatchRow, BatchStatus
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

        async def store(session: AsyncSession, batch: BatchRow) -> tuple[str, int]:
            file.seek(0)
            add_part = partial(UploadRepository(session).add_part, batch.id)
            reader = StoringReader(file, add_part, asyncio.get_running_loop())
            batch.rows_uploaded = await self._count(reader, name, options)
            if batch.rows_uploaded <= more_rows_than:
                raise _FewRowsError
            return _join_key(client_id, options, reader.digest), reader.size

        try:
            return await self._queue_or_join(store, options, file_name=name, client_id=client_id)
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
        join_key = selection.join_key(client_id, self.classifier.model_version, min_confidence)

        async def count(session: AsyncSession, batch: BatchRow) -> tuple[str, int]:
            batch.rows_uploaded = await StoredSongsRepository(session).count(selection)
            return join_key, 0

        options = BatchOptions(min_confidence=min_confidence)
        return await self._queue_or_join(count, options, client_id=client_id, selection=selection.to_json())

    async def cancel(self, batch_id: uuid.UUID, caller: Caller) -> BatchRow:
        """Cancel an unfinished batch and delete its file; a finished batch stays unchanged.

        Raises:
            InvalidArgumentError: the batch does not exist or is not visible to the caller, or its songs are
                being stored.
        """
        async with self.sessions.begin() as session:
            try:
                upload = await UploadRepository(session).locked(
                    batch_id, timeout_seconds=CANCEL_TIMEOUT_SECONDS
                )
            except UploadBusyError:
                raise InvalidArgumentError(
                    "id", "the batch cannot be cancelled: its songs are already being stored"
                ) from None
            batch = await BatchRepository(session).locked(batch_id)
            if batch is None or not caller.may_see(batch.client_id):
                raise InvalidArgumentError("id", "there is no such batch")
            if upload is not None and not BatchStatus(batch.status).is_final:
                batch.status = BatchStatus.CANCELLED
                batch.waiting_reason = None
                batch.finished_at = datetime.now(UTC)
                await ResultRepository(session).remove(batch_id)
                await UploadRepository(session).remove(batch_id)
                note_end(batch, self.metrics)
        return batch

    async def _queue_or_join(
        self,
        store: Callable[[AsyncSession, BatchRow], Awaitable[tuple[str, int]]],
        options: BatchOptions,
        *,
        client_id: str,
        file_name: str | None = None,
        selection: dict[str, Any] | None = None,
    ) -> BatchRow:
        """Queue a batch, or join the client's unfinished one with the same key.

        `store` stores what the batch needs in the session's transaction, and returns its key and size.
        """
        while True:
            batch = new_batch(
                options,
                self.classifier.model_version,
                client_id,
                file_name=file_name,
                selection=selection,
                status=BatchStatus.QUEUED,
            )
            async with self.writes() as session, session.begin() as transaction:
                uploads = UploadRepository(session)
                await BatchRepository(session).add(batch)
                await uploads.add(new_upload(batch, options))
                join_key, size = await store(session, batch)
                if await uploads.set_join_key(batch.id, join_key, size_bytes=size):
                    await QueueRepository(session).add(batch.id)
                    facts = {"batch_id": str(batch.id), "client_id": client_id, "rows": batch.rows_uploaded}
                    log.info("batch queued", **facts)
                    return batch
                await transaction.rollback()
            async with self.sessions() as session:
                joined = await UploadRepository(session).batch_of(join_key)
            if joined is not None:  # otherwise it has just ended
                return joined

    async def _count(self, reader: StoringReader, name: str, options: BatchOptions) -> int:
        """Store a file while reading it, and return its number of rows."""

        def read() -> int:
            try:
                rows = SongFile(
                    reader.file, name=name, on_missing_value=options.on_missing_value, max_rows=self.max_rows
                ).count_rows()
                reader.finish()
            finally:
                reader.close()
            return rows

        counting = self.classifier.run(read)
        try:
            return await asyncio.shield(counting)
        except asyncio.CancelledError:
            # The thread writes in this transaction, so it must end before the transaction does.
            reader.stop()
            with suppress(Exception):
                await counting
            raise


class _FewRowsError(Exception):
    """The file is small enough to be classified within the request."""


def _join_key(client_id: str, options: BatchOptions, digest: bytes) -> str:
    chosen = (options.on_invalid_row.value, options.on_missing_value.value, repr(options.min_confidence))
    asked = "\0".join((client_id, *chosen, digest.hex()))
    return hashlib.sha256(asked.encode()).hexdigest()
