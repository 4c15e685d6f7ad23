"""Process background batches in a worker, in durable steps.

Each chunk is stored, invisible to readers, in one transaction with the read position. A worker that takes
over a batch therefore resumes after the last chunk, and no song is stored twice. The final transaction merges
all songs into the catalogue.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

import structlog

from app.batches.claims import Claims, LostBatchError, Work, waiting_reason
from app.batches.classifier import CHUNK_ROWS, ClassifiedChunk, SongClassifier
from app.batches.pipeline import BatchTransaction, Storage, note_end
from app.batches.queue import UploadRepository
from app.batches.repository import ResultRepository
from app.batches.song_parts import PackedPart, SongPart, decompressed, pack, unpack_answers
from app.batches.stored_file import open_stored, read_ahead
from app.batches.stored_songs import ReadSongs, Selection, StoredSongs
from app.database.engine import SessionFactory
from app.observability.metrics import Metrics
from ml.songs.csv_songs import SongFile
from ml.songs.problems import InvalidSongFileError, OnInvalidRow, OnMissingValue, SongFileReport

log = structlog.get_logger(__name__)


class HandedOverError(Exception):
    """This worker is stopping; another one may resume the batch."""


class WaitingError(Exception):
    """The batch waits for the database to become available."""


@dataclass(frozen=True, slots=True)
class BatchProcessing:
    """Processes background batches with one model; several may run concurrently."""

    sessions: SessionFactory
    claims: Claims
    classifier: SongClassifier
    storage: Storage
    metrics: Metrics

    async def process(self, batch_id: uuid.UUID, must_stop: Callable[[], bool]) -> None:
        """Process a batch until it is finished; do nothing if it already is.

        Args:
            batch_id: ID of the batch.
            must_stop: whether this worker is stopping; called after each chunk.

        Raises:
            HandedOverError: this worker is stopping; another one may resume the batch.
            WaitingError: the database is unavailable, full or read-only; no attempt was used up.
            Exception: processing failed and may be retried; the attempt counts.
        """
        await self.claims.return_waiting()
        work = await self.claims.take(batch_id)
        if work is None:
            return
        try:
            report = await self._keep(work, must_stop)
            await self._finish(work, report)
        except InvalidSongFileError as error:
            await self.claims.refuse(work, error)
        except LostBatchError:
            log.info("batch cancelled or taken over by another worker", batch_id=str(batch_id))
        except HandedOverError:
            await self.claims.hand_over(work)
            raise
        except Exception as error:
            reason = waiting_reason(error)
            if reason is not None:
                await self.claims.wait(work, reason, error)
                raise WaitingError(reason) from error
            await self.claims.record_failure(work, error)
            raise

    async def _keep(self, work: Work, must_stop: Callable[[], bool]) -> SongFileReport:
        """Classify and store the remaining songs, and return the report on all of them."""
        source = await self._source(work)
        encode = partial(pack, keeps_features=self.storage.keeps_features, compresses_rows=True)
        chunks = self.classifier.classify_all(source, encode, first_ordinal=work.songs_staged)
        async with aclosing(chunks):
            async for chunk in chunks:
                work.songs_staged += len(chunk.packed.part)
                work.drift.update(chunk.drift)
                await self._checkpoint(work, chunk)
                if must_stop():
                    raise HandedOverError
        return source.report

    async def _source(self, work: Work) -> SongFile | StoredSongs:
        batch, upload, state = work.batch, work.upload, work.state
        if isinstance(state, ReadSongs):
            return StoredSongs(self.sessions, Selection(**batch.selection or {}), state)
        file = await self.classifier.run(
            self._open, batch.id, state.position.offset, asyncio.get_running_loop()
        )
        return SongFile(
            file,
            name=batch.file_name or "",
            on_invalid_row=OnInvalidRow(upload.on_invalid_row),
            on_missing_value=OnMissingValue(upload.on_missing_value),
            chunk_rows=CHUNK_ROWS,
            state=state,
        )

    async def _checkpoint(self, work: Work, chunk: ClassifiedChunk[PackedPart]) -> None:
        async with self.claims.owned(work) as (session, upload, batch):
            upload.songs_staged, upload.state = work.songs_staged, chunk.state.to_json()
            upload.attempts = 0
            batch.rows_processed, batch.drift = chunk.state.rows, work.drift
            await ResultRepository(session).add(batch.id, chunk.packed, with_rows=True)

    async def _finish(self, work: Work, report: SongFileReport) -> None:
        ordinal = -1

        async def next_part() -> tuple[SongPart, bytes] | None:
            nonlocal ordinal
            async with self.sessions() as session:
                found = await ResultRepository(session).parts_after(work.batch.id, ordinal, 1, with_rows=True)
            if not found:
                return None
            ordinal = found[0].first_ordinal
            part = await self.classifier.run(unpack_answers, found[0].songs, ordinal)
            return part, await self.classifier.run(decompressed, found[0].stage_rows)

        async with self.claims.owned(work) as (session, _, batch), aclosing(read_ahead(next_part)) as parts:
            transaction = await BatchTransaction(session, batch, self.storage).open()
            async for part, rows in parts:
                await transaction.stage(part, rows)
            batch.drift = work.drift
            await transaction.finish(report)
            await ResultRepository(session).drop_rows(batch.id)
            await UploadRepository(session).remove(batch.id)
        note_end(batch, self.metrics)

    def _open(self, batch_id: uuid.UUID, offset: int, loop: asyncio.AbstractEventLoop) -> BinaryIO:
        async def read(position: int) -> bytes | None:
            async with self.sessions() as session:
                return await UploadRepository(session).part(batch_id, position)

        return open_stored(
            lambda position: asyncio.run_coroutine_threadsafe(read(position), loop).result(), offset
        )
