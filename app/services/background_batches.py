"""Background batches as their clients see them: queued, followed, cancelled."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import BinaryIO

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.database.engine import SessionFactory
from app.database.outage import is_outage
from app.database.tables import BatchRow, BatchStatus, BatchUploadRow
from app.metrics.metrics import Metrics
from app.repositories.batches import BatchRepository
from app.repositories.queue import QueueRepository
from app.repositories.songs import SongRepository
from app.repositories.uploads import UploadBusyError, UploadRepository
from app.services.batch_options import BatchOptions
from app.services.batch_rows import new_batch, note_end
from app.services.errors import InvalidArgumentError
from app.services.roles import Caller
from app.services.song_classifier import SongClassifier
from app.services.stored_file import compressed_parts, file_hash
from ml.song_file import SongFile

POLL_SECONDS = 0.25
"""How often a followed batch is looked at, and so how many events a second there may be."""

CANCEL_TIMEOUT_SECONDS = 3
"""How long a cancellation waits for a worker that is writing; the last step of a large batch takes longer."""

OUTAGE_SECONDS = 30.0
"""How long followers wait for a database that is away."""

log = structlog.get_logger(__name__)


class BackgroundBatches:
    """Stores files for workers, tells how far these are, and stops them."""

    def __init__(
        self, sessions: SessionFactory, classifier: SongClassifier, metrics: Metrics, *, max_rows: int
    ) -> None:
        """Make the service.

        Args:
            sessions: where transactions come from.
            classifier: whose threads look through the files, and whose model the batches start out with.
            metrics: where batches are counted.
            max_rows: the most rows of a file.
        """
        self._sessions = sessions
        self._classifier = classifier
        self._metrics = metrics
        self._max_rows = max_rows
        # Storing a large file holds a database connection for a while; readers must find some free.
        self._turns = asyncio.Semaphore(classifier.threads)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End what follows a batch: the service is about to stop, and followers may ask another."""
        self._stopping.set()

    async def queue(self, file: BinaryIO, *, name: str, options: BatchOptions, client_id: str) -> BatchRow:
        """Store a file and queue the batch in one transaction.

        The same file of the same client, asked for with the same options while its batch is unfinished,
        joins that batch, so that a script may send again what it got no answer to.

        Args:
            file: the uploaded bytes, seekable.
            name: the file's name, which must end in `.csv`.
            options: how to classify it.
            client_id: who sent it.

        Raises:
            InvalidSongFileError: it is no song file; nothing is stored.
            TooManyRowsError: it has more rows than the service takes; nothing is stored.
        """
        async with self._turns:
            return await self._queue(file, name, options, client_id)

    async def cancel(self, batch_id: uuid.UUID, caller: Caller) -> BatchRow:
        """Stop a batch that is not finished, and forget its file; a finished one stays as it is.

        Raises:
            InvalidArgumentError: there is no such batch that the caller may see, or its songs are being
                stored this moment.
        """
        async with self._sessions.begin() as session:
            try:
                upload = await UploadRepository(session).locked(
                    batch_id, timeout_seconds=CANCEL_TIMEOUT_SECONDS
                )
            except UploadBusyError:
                raise InvalidArgumentError(
                    "id", "the batch is all but done: its songs are being stored, and it cannot be stopped"
                ) from None
            batch = await BatchRepository(session).locked(batch_id)
            if batch is None or not caller.may_see(batch.client_id):
                raise InvalidArgumentError("id", "there is no such batch")
            if upload is not None and not BatchStatus(batch.status).is_final:
                batch.status = BatchStatus.CANCELLED
                batch.finished_at = datetime.now(UTC)
                await SongRepository(session).drop_staged(batch_id)
                await UploadRepository(session).remove(batch_id)
                note_end(batch, self._metrics)
        return batch

    async def follow(self, batch_id: uuid.UUID, caller: Caller) -> AsyncGenerator[BatchRow, None]:
        """Give out a batch now and whenever it got further, until it is finished or the service stops.

        A database that is away for a short time is waited for.

        Raises:
            InvalidArgumentError: there is no such batch that the caller may see.
        """
        seen: tuple[str, int] | None = None
        last_read = time.monotonic()
        while not self._stopping.is_set():
            try:
                batch = await self._read(batch_id, caller)
            except Exception as error:
                if not is_outage(error) or time.monotonic() - last_read > OUTAGE_SECONDS:
                    raise
            else:
                last_read = time.monotonic()
                if seen != (batch.status, batch.rows_processed):
                    seen = (batch.status, batch.rows_processed)
                    yield batch
                if BatchStatus(batch.status).is_final:
                    return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), POLL_SECONDS)

    async def _read(self, batch_id: uuid.UUID, caller: Caller) -> BatchRow:
        async with self._sessions() as session:
            batch = (await BatchRepository(session).by_ids([batch_id])).get(batch_id)
        if batch is None or not caller.may_see(batch.client_id):
            raise InvalidArgumentError("id", "there is no such batch")
        return batch

    async def _queue(self, file: BinaryIO, name: str, options: BatchOptions, client_id: str) -> BatchRow:
        rows, size, digest = await self._classifier.run(self._look_through, file, name)
        join_key = _join_key(client_id, options, digest)
        while True:
            batch = new_batch(
                file_name=name,
                client_id=client_id,
                created_at=datetime.now(UTC),
                min_confidence=options.min_confidence,
                model_version=self._classifier.model_version,
                status=BatchStatus.QUEUED,
            )
            batch.rows_uploaded = rows
            upload = BatchUploadRow(
                batch_id=batch.id,
                join_key=join_key,
                size_bytes=size,
                on_invalid_row=options.on_invalid_row.value,
                stored_at=batch.created_at,
            )
            async with self._sessions() as session, session.begin() as transaction:
                await BatchRepository(session).add(batch)
                if await UploadRepository(session).add(upload):
                    await self._store(session, file, batch.id)
                    await QueueRepository(session).add(batch.id)
                    log.info("batch queued", batch_id=str(batch.id), client_id=client_id, rows=rows)
                    return batch
                await transaction.rollback()
            async with self._sessions() as session:
                running = await UploadRepository(session).batch_of(join_key)
            if running is not None:
                return running

    def _look_through(self, file: BinaryIO, name: str) -> tuple[int, int, bytes]:
        rows = SongFile(file, name=name, max_rows=self._max_rows).count_rows()
        size = file.tell()
        file.seek(0)
        digest = file_hash(file)
        file.seek(0)
        return rows, size, digest

    async def _store(self, session: AsyncSession, file: BinaryIO, batch_id: uuid.UUID) -> None:
        uploads = UploadRepository(session)
        parts: Iterator[bytes] = compressed_parts(file)
        position = 0
        while (part := await self._classifier.run(next, parts, None)) is not None:
            await uploads.add_part(batch_id, position, part)
            position += 1


def _join_key(client_id: str, options: BatchOptions, digest: bytes) -> str:
    asked = "\0".join((client_id, options.on_invalid_row.value, repr(options.min_confidence), digest.hex()))
    return hashlib.sha256(asked.encode()).hexdigest()
