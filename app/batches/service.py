"""Read batches and their results, and delete batches.

Songs are deleted before their batch, because merges lock in the same order.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass

import structlog

from app.batches.pipeline import visible
from app.batches.repository import BatchRepository, ResultRepository
from app.batches.song_parts import SongPart, unpack_answers
from app.catalogue.errors import InvalidArgumentError
from app.catalogue.paging import Page, check_page_size
from app.catalogue.songs import SongRepository
from app.clients.roles import Caller
from app.database.engine import SessionFactory, reading
from app.database.tables import BatchProblemRow, BatchRow, BatchStatus

_PARTS_PER_READ = 4
"""Parts per database read. No connection is held between reads, so slow clients do not block the pool."""

log = structlog.get_logger(__name__)


class ResultsGoneError(Exception):
    """The results of a batch were deleted while being read."""


@dataclass(frozen=True, slots=True)
class Batches:
    """Reads batches, and deletes batches and songs; each call uses its own session, so calls may overlap.

    Callers may delete what is theirs, and admins anything. A song belongs to the client whose batch
    classified it last. After that batch is deleted, only admins may delete the song.

    Attributes:
        sessions: creates database sessions for reading.
        writes: creates database sessions for deleting many songs, which takes a while.
        read_timeout_seconds: timeout of each read, including the wait for a connection.
    """

    sessions: SessionFactory
    writes: SessionFactory
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

    async def delete(self, batch_id: uuid.UUID, caller: Caller, *, songs: bool) -> int:
        """Delete a finished batch with its file, problems and results; return the number of songs deleted.

        Args:
            batch_id: ID of the batch.
            caller: the caller.
            songs: whether to delete the songs that it classified last, too.

        Raises:
            InvalidArgumentError: the batch does not exist, is not visible to the caller, or is not finished.
        """
        async with self.writes.begin() as session:
            batches = BatchRepository(session)
            batch = visible((await batches.by_ids([batch_id])).get(batch_id), caller)
            if not BatchStatus(batch.status).is_final:
                raise InvalidArgumentError(
                    "id", "the batch is not finished; cancel it with cancelBatch first"
                )
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
            found = await BatchRepository(session).by_ids([batch_id])
            visible(found.get(batch_id), caller, "batchId")
            deleted = await SongRepository(session).remove(batch_id=batch_id)
        log.info("songs deleted", batch_id=str(batch_id), client_id=caller.client_id, songs=deleted)
        return deleted

    async def delete_songs(self, caller: Caller, track_ids: Sequence[int] | None = None) -> int:
        """Delete the given songs, or all, as far as the caller may, and return their number."""
        async with self.writes.begin() as session:
            deleted = await SongRepository(session).remove(track_ids=track_ids, client_id=caller.batches_of)
        log.info("songs deleted", client_id=caller.client_id, songs=deleted)
        return deleted
