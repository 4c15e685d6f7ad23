"""SQL for batches, the problems in their files, and their results."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, literal_column, select, text, tuple_, update
from sqlmodel import col

from app.batches.song_parts import PackedPart
from app.catalogue.paging import Page, decode_cursor, encode_cursor
from app.database.engine import Repository
from app.database.tables import BatchProblemRow, BatchResultPartRow, BatchRow, BatchUploadRow
from ml.songs.problems import SongFileProblem

_EXCLUDE = text("""
    UPDATE batch_result_parts AS kept SET left_out = excluded.ordinals
    FROM (
        SELECT part, array_agg(ordinal ORDER BY ordinal) AS ordinals
        FROM unnest(CAST(:ordinals AS bigint[])) AS left_out (ordinal)
        CROSS JOIN LATERAL (
            SELECT max(first_ordinal) AS part FROM batch_result_parts
            WHERE batch_id = CAST(:batch_id AS uuid) AND first_ordinal <= ordinal
        ) AS holder
        GROUP BY part
    ) AS excluded
    WHERE batch_id = CAST(:batch_id AS uuid) AND first_ordinal = excluded.part
""")


def batch_cursor(batch: BatchRow) -> str:
    """Return the cursor of a batch in the batch list."""
    return encode_cursor(batch.created_at.isoformat(), str(batch.id))


def _utc_time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not UTC:  # PostgreSQL's driver returns UTC; other offsets can exceed its range
        raise ValueError(text)
    return moment


class BatchRepository(Repository):
    """Reads and writes batches."""

    async def add(self, *rows: BatchRow | BatchUploadRow) -> None:
        """Insert a batch, perhaps with its upload; later changes are written when the transaction commits."""
        self._session.add_all(rows)
        await self._session.flush()

    async def add_problems(self, batch_id: uuid.UUID, problems: Iterable[SongFileProblem]) -> None:
        """Insert the problems of a batch's file."""
        self._session.add_all(
            BatchProblemRow(
                batch_id=batch_id,
                position=position,
                kind=problem.kind.value,
                line=problem.line,
                column_name=problem.column,
                value=problem.value,
                message=problem.message,
            )
            for position, problem in enumerate(problems)
        )
        await self._session.flush()

    async def page(self, first: int, after: str | None, client_id: str | None) -> Page[BatchRow]:
        """Return `first` batches of a client, or of all clients, newest first, after the cursor `after`.

        Raises:
            InvalidCursorError: `after` is not a cursor of the batch list.
        """
        query = select(BatchRow).order_by(col(BatchRow.created_at).desc(), col(BatchRow.id).desc())
        if client_id is not None:
            query = query.where(col(BatchRow.client_id) == client_id)
        if after is not None:
            key = decode_cursor(after, _utc_time, uuid.UUID)
            query = query.where(tuple_(col(BatchRow.created_at), col(BatchRow.id)) < tuple_(*key))
        rows = (await self._session.scalars(query.limit(first + 1))).all()
        return Page.of(rows, first)

    async def count(self, client_id: str | None) -> int:
        """Return the number of batches of a client, or of all clients."""
        query = select(func.count()).select_from(BatchRow)
        if client_id is not None:
            query = query.where(col(BatchRow.client_id) == client_id)
        return int(await self._session.scalar(query) or 0)

    async def by_ids(self, batch_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, BatchRow]:
        """Return the existing batches by ID."""
        query = select(BatchRow).where(col(BatchRow.id).in_(list(batch_ids)))
        return {batch.id: batch for batch in await self._session.scalars(query)}

    async def remove(self, batch_id: uuid.UUID) -> None:
        """Delete a batch and everything that belongs to it except its songs."""
        await self._session.execute(delete(BatchRow).where(col(BatchRow.id) == batch_id))

    async def remove_finished_before(self, moment: datetime) -> None:
        """Delete batches that ended before a time, and everything that belongs to them except their songs."""
        # The counting trigger `follow_songs` updates several batches under this lock.
        await self._session.execute(text("SELECT pg_advisory_xact_lock(hashtext('genregraph.genre_counts'))"))
        await self._session.execute(delete(BatchRow).where(col(BatchRow.finished_at) < moment))

    async def problems(self, batch_id: uuid.UUID, first: int) -> Sequence[BatchProblemRow]:
        """Return the first problems of a batch, in file order."""
        query = (
            select(BatchProblemRow)
            .where(col(BatchProblemRow.batch_id) == batch_id)
            .order_by(col(BatchProblemRow.position))
            .limit(first)
        )
        return (await self._session.scalars(query)).all()


class ResultRepository(Repository):
    """Reads and writes results."""

    async def add(self, batch_id: uuid.UUID, packed: PackedPart) -> None:
        """Insert a part, with its features if its songs are staged later."""
        part = {
            "batch_id": batch_id,
            "first_ordinal": packed.part.first_ordinal,
            "songs": packed.answers,
            "features": packed.features,
        }
        await self._session.execute(insert(BatchResultPartRow).values(**part))

    async def exclude(self, batch_id: uuid.UUID, ordinals: Sequence[int]) -> None:
        """Mark songs of a batch as not stored."""
        if ordinals:
            await self._session.execute(_EXCLUDE, {"batch_id": str(batch_id), "ordinals": ordinals})

    async def parts_after(
        self, batch_id: uuid.UUID, ordinal: int, limit: int, *, with_features: bool = False
    ) -> Sequence[Row[Any]]:
        """Return the next parts of a batch after an ordinal: their columns, `features` only on request."""
        part = BatchResultPartRow
        columns: list[Any] = [part.first_ordinal, part.songs, part.left_out]
        query = (
            select(*columns, *([part.features] if with_features else []))
            .where(col(part.batch_id) == batch_id, col(part.first_ordinal) > ordinal)
            .order_by(col(part.first_ordinal))
            .limit(limit)
        )
        return (await self._session.execute(query)).all()

    async def drop_features(self, batch_id: uuid.UUID) -> None:
        """Delete the features from a batch's parts, as they are now stored with the songs."""
        part = BatchResultPartRow
        await self._session.execute(update(part).where(col(part.batch_id) == batch_id).values(features=None))

    async def remove(self, batch_id: uuid.UUID) -> None:
        """Delete the parts of a batch."""
        await self._session.execute(
            delete(BatchResultPartRow).where(col(BatchResultPartRow.batch_id) == batch_id)
        )

    async def remove_expired(self, moment: datetime) -> None:
        """Delete the results of batches that expire at or before a time."""
        ended = select(col(BatchRow.id)).where(col(BatchRow.results_until) <= moment)
        await self._session.execute(delete(BatchResultPartRow).where(literal_column("batch_id").in_(ended)))
