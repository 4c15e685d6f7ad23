"""Read batches and their results; cancel and delete batches.

Songs are deleted before their batch, because merges lock in the same order.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from app.batches.pipeline import check_visible, end, record_end
from app.batches.queue import QueueRepository, UploadBusyError, UploadRepository
from app.batches.repository import BatchRepository, ResultRepository
from app.batches.song_parts import SongPart, unpack_answers
from app.catalogue.errors import InvalidArgumentError
from app.catalogue.paging import Page, check_page_size
from app.catalogue.songs import SongRepository
from app.clients.roles import Caller
from app.database.engine import SessionFactory, reading
from app.database.tables import BatchProblemRow, BatchRow, BatchStatus
from app.observability.metrics import Metrics
from app.settings import Settings

_PARTS_PER_READ = 4
"""Parts per database read. No connection is held between reads, so slow clients do not block the pool."""

LOG_DAYS = 7
"""Retention of the queue's log, in days."""

CANCEL_TIMEOUT_SECONDS = 3
"""How long a cancellation waits for a worker's transaction; the final merge of a large batch takes longer."""

log = structlog.get_logger(__name__)


class ResultsGoneError(Exception):
    """The results of a batch were deleted while being read."""


@dataclass(frozen=True, slots=True)
class Batches:
    """Reads, cancels and deletes batches, and deletes songs; each call uses its own session.

    Callers may cancel and delete what is theirs, and admins anything. A song belongs to the client whose
    batch classified it last. After that batch is deleted, only admins may delete the song.

    Attributes:
        sessions: creates database sessions for reading and cancelling.
        writes: creates database sessions for deleting many songs, which takes a while.
        read_timeout_seconds: timeout of each read, including the wait for a connection.
    """

    sessions: SessionFactory
    writes: SessionFactory
    metrics: Metrics
    read_timeout_seconds: float

    async def page(self, first: int, after: str | None, caller: Caller) -> Page[BatchRow]:
        """Return a page of the batches visible to the caller, newest first.

        Raises:
            InvalidArgumentError: `first` is out of range.
            InvalidCursorError: `after` is not a cursor of the batch list.
        """
        check_page_size(first)
        async with reading(self.sessions, self.read_timeout_seconds) as session:
            return await BatchRepository(session).page(first, after, caller.batches_of)

    async def count(self, caller: Caller) -> int:
        """Return the number of batches visible to the caller."""
        async with reading(self.sessions, self.read_timeout_seconds) as session:
            return await BatchRepository(session).count(caller.batches_of)

    async def by_ids(self, batch_ids: Iterable[uuid.UUID], caller: Caller) -> dict[uuid.UUID, BatchRow]:
        """Return the batches that exist and are visible to the caller, by ID."""
        async with reading(self.sessions, self.read_timeout_seconds) as session:
            batches = await BatchRepository(session).by_ids(batch_ids)
        return {key: batch for key, batch in batches.items() if caller.may_see(batch.client_id)}

    async def problems(self, batch_id: uuid.UUID, first: int) -> Sequence[BatchProblemRow]:
        """Return the first problems in a batch's file.

        Raises:
            InvalidArgumentError: `first` is out of range.
        """
        check_page_size(first)
        async with reading(self.sessions, self.read_timeout_seconds) as session:
            return await BatchRepository(session).problems(batch_id, first)

    async def results(self, batch: BatchRow) -> AsyncGenerator[tuple[SongPart, Sequence[int]], None]:
        """Yield the results of a successful batch in order, part by part.

        Yields:
            Each part, with the ordinals of songs to exclude because a later row repeats their track ID.

        Raises:
            ResultsGoneError: the results were deleted in the meantime, so the songs are incomplete.
        """
        ordinal, songs = -1, 0
        while True:
            async with reading(self.sessions, self.read_timeout_seconds) as session:
                rows = await ResultRepository(session).parts_after(batch.id, ordinal, _PARTS_PER_READ)
            for row in rows:
                part = unpack_answers(row.songs, row.first_ordinal)
                ordinal = row.first_ordinal
                left_out = row.left_out or ()
                songs += len(part) - len(left_out)
                yield part, left_out
            if len(rows) < _PARTS_PER_READ:
                break
        if songs != batch.rows_classified:
            raise ResultsGoneError

    async def cancel(self, batch_id: uuid.UUID, caller: Caller) -> BatchRow:
        """Cancel an unfinished batch and delete its file; a finished batch stays unchanged.

        Raises:
            InvalidArgumentError: the batch does not exist or is not visible to the caller, or its songs are
                being stored.
        """
        async with self.sessions.begin() as session:
            uploads = UploadRepository(session)
            try:
                upload, batch = await uploads.locked(batch_id, timeout_seconds=CANCEL_TIMEOUT_SECONDS)
            except UploadBusyError:
                problem = "the batch cannot be cancelled: its songs are already being stored"
                raise InvalidArgumentError("id", problem) from None
            batch = check_visible(batch, caller)
            if upload is not None and not BatchStatus(batch.status).is_final:
                end(batch, BatchStatus.CANCELLED)
                await ResultRepository(session).remove(batch_id)
                await uploads.remove(batch_id)
                record_end(batch, self.metrics)
        return batch

    async def delete(self, batch_id: uuid.UUID, caller: Caller, *, songs: bool) -> int:
        """Delete a finished batch with its file, problems and results; return the number of songs deleted.

        With `songs`, the songs that it classified last are deleted, too.

        Raises:
            InvalidArgumentError: the batch does not exist, is not visible to the caller, or is not finished.
        """
        async with self.writes.begin() as session:
            batches = BatchRepository(session)
            batch = check_visible((await batches.by_ids([batch_id])).get(batch_id), caller)
            if not BatchStatus(batch.status).is_final:
                problem = "the batch is not finished; cancel it with cancelBatch first"
                raise InvalidArgumentError("id", problem)
            deleted = await SongRepository(session).remove(batch_id=batch_id) if songs else 0
            await batches.remove(batch_id)
        log.info("batch deleted", batch_id=str(batch_id), client_id=caller.client_id, songs=deleted)
        return deleted

    async def delete_songs_of(self, batch_id: uuid.UUID, caller: Caller) -> int:
        """Delete the songs that a batch classified last, and return their number.

        Raises:
            InvalidArgumentError: the batch does not exist or is not visible to the caller.
        """
        async with self.writes.begin() as session:
            batches = await BatchRepository(session).by_ids([batch_id])
            check_visible(batches.get(batch_id), caller, "batchId")
            deleted = await SongRepository(session).remove(batch_id=batch_id)
        log.info("songs deleted", batch_id=str(batch_id), client_id=caller.client_id, songs=deleted)
        return deleted

    async def delete_songs(self, caller: Caller, track_ids: Sequence[int] | None = None) -> int:
        """Delete the given songs, or all, as far as the caller may, and return their number."""
        async with self.writes.begin() as session:
            deleted = await SongRepository(session).remove(track_ids=track_ids, client_id=caller.batches_of)
        log.info("songs deleted", client_id=caller.client_id, songs=deleted)
        return deleted


async def clean_up(sessions: SessionFactory, settings: Settings) -> None:
    """Delete expired data, and requeue unfinished batches that have no job; any worker may do that."""
    now, days = datetime.now(UTC), settings.batch_retention_days
    async with sessions.begin() as session:
        await ResultRepository(session).remove_expired(now)
        if days is not None:
            await BatchRepository(session).remove_finished_before(now - timedelta(days=days))
    async with sessions.begin() as session:
        uploads, queue = UploadRepository(session), QueueRepository(session)
        await uploads.remove_finished_before(now - timedelta(hours=settings.retention_hours))
        for batch_id in await uploads.without_job():
            log.warning("requeued a batch that had no job", batch_id=str(batch_id))
            await queue.add(batch_id)
        await queue.delete_log_before(LOG_DAYS)
