"""Songs: keyset pages, counts, and the bulk write of a batch."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import SQLColumnExpression, delete, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.database.tables import GenreCountRow, SongRow, StagedSongRow
from app.repositories.paging import InvalidCursorError, Page, decode_cursor, encode_cursor
from ml.songs import MAX_TRACK_ID


@dataclass(frozen=True, slots=True)
class SongFilter:
    """Which songs: those that fit every condition given."""

    genre: str | None = None
    title_contains: str | None = None
    batch_id: uuid.UUID | None = None
    confident: bool | None = None


@dataclass(frozen=True, slots=True)
class MergedSongs:
    """What the songs of a merge are.

    Attributes:
        genre_counts: how many songs of each genre, by name.
        uncertain: how many songs have a confidence below the minimum.
    """

    genre_counts: dict[str, int]
    uncertain: int


StagedSong = tuple[int, int, str, str, str, float, Sequence[float]]
"""ordinal in the file, track id, title, folded title, genre, confidence, probabilities"""

ExportedSong = tuple[int, str, str, float, bool, str]
"""track id, title, genre, confidence, whether it is confident, model version"""

_CREATE_STAGE = text("""
    CREATE TEMPORARY TABLE staged_songs (
        ordinal bigint, track_id bigint, title text, title_folded text, genre text,
        confidence double precision, probabilities double precision[]
    ) ON COMMIT DROP
""")

_STAGE_COLUMNS = ("ordinal", "track_id", "title", "title_folded", "genre", "confidence", "probabilities")

_STAGED = "staged_songs"
_STAGED_DURABLY = "staged_batch_songs WHERE batch_id = CAST(:batch_id AS uuid)"

# In the order of the key, so that two batches take their row locks in one order and cannot deadlock.
_MERGE = """
    INSERT INTO songs (track_id, title, title_folded, genre, confidence, confident, probabilities,
                       model_version, batch_id, classified_at)
    SELECT DISTINCT ON (track_id) track_id, title, title_folded, genre, confidence,
           confidence >= CAST(:min_confidence AS double precision), probabilities,
           :model_version, CAST(:batch_id AS uuid), CAST(:classified_at AS timestamptz)
    FROM {staged}
    ORDER BY track_id, ordinal DESC
    ON CONFLICT (track_id) DO UPDATE SET
        title = excluded.title, title_folded = excluded.title_folded, genre = excluded.genre,
        confidence = excluded.confidence, confident = excluded.confident,
        probabilities = excluded.probabilities, model_version = excluded.model_version,
        batch_id = excluded.batch_id, classified_at = excluded.classified_at
"""


def fold(title: str) -> str:
    """Return a title as searches see it."""
    return title.casefold()


def song_cursor(song: SongRow) -> str:
    """Return the cursor of a song in any list of songs."""
    return encode_cursor(song.title, str(song.track_id))


class SongRepository:
    """Reads and writes songs in the session's transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def page(self, wanted: SongFilter, first: int, after: str | None) -> Page[SongRow]:
        """Return `first` songs by title, ties by track id, from behind the cursor `after`.

        Raises:
            InvalidCursorError: `after` is not a cursor of a song list.
        """
        title_then_id = (col(SongRow.title), col(SongRow.track_id))
        query = select(SongRow).where(*_conditions(wanted)).order_by(*title_then_id)
        if after is not None:
            title, track_id = decode_cursor(after, parts=2)
            if not track_id.isdecimal() or int(track_id) > MAX_TRACK_ID:
                raise InvalidCursorError(after)
            query = query.where(tuple_(*title_then_id) > tuple_(title, int(track_id)))
        rows = (await self._session.scalars(query.limit(first + 1))).all()
        return Page.of(rows, first)

    async def exported(
        self, batch_id: uuid.UUID, limit: int, after: tuple[str, int] | None
    ) -> Sequence[ExportedSong]:
        """Return songs of a batch by title, ties by track id, as plain tuples.

        Args:
            batch_id: the batch.
            limit: how many at most.
            after: title and track id of the song to continue behind.
        """
        columns = (SongRow.track_id, SongRow.title, SongRow.genre, SongRow.confidence)
        more = (SongRow.confident, SongRow.model_version)
        title_then_id = (col(SongRow.title), col(SongRow.track_id))
        query = select(*map(col, columns), *map(col, more)).where(col(SongRow.batch_id) == batch_id)
        if after is not None:
            query = query.where(tuple_(*title_then_id) > tuple_(*after))
        rows = await self._session.execute(query.order_by(*title_then_id).limit(limit))
        return [tuple(row) for row in rows]

    async def count(self, wanted: SongFilter) -> int:
        """Return how many songs fit; of all songs or of one genre from the kept counts."""
        if wanted.title_contains is None and wanted.batch_id is None:
            kept = select(func.coalesce(func.sum(_kept_count(wanted.confident)), 0))
            if wanted.genre is not None:
                kept = kept.where(col(GenreCountRow.genre) == wanted.genre)
            return int(await self._session.scalar(kept) or 0)
        query = select(func.count()).select_from(SongRow).where(*_conditions(wanted))
        return int(await self._session.scalar(query) or 0)

    async def by_track_ids(self, track_ids: Iterable[int]) -> dict[int, SongRow]:
        """Return the stored songs among these, by track id."""
        query = select(SongRow).where(col(SongRow.track_id).in_(list(track_ids)))
        return {song.track_id: song for song in await self._session.scalars(query)}

    async def open_stage(self) -> None:
        """Make the temporary table that a batch's songs are copied into; it ends with the transaction."""
        await self._session.execute(_CREATE_STAGE)

    async def stage(self, songs: Iterable[StagedSong]) -> None:
        """Copy songs to those staged already, in whatever order."""
        await self._copy("staged_songs", _STAGE_COLUMNS, songs)

    async def stage_durably(self, batch_id: uuid.UUID, songs: Iterable[StagedSong]) -> None:
        """Copy songs of a background batch to where they outlast this transaction, unseen by readers."""
        columns = ("batch_id", *_STAGE_COLUMNS)
        await self._copy("staged_batch_songs", columns, ((batch_id, *song) for song in songs))

    async def drop_staged(self, batch_id: uuid.UUID) -> None:
        """Delete the songs of a background batch that are staged."""
        await self._session.execute(delete(StagedSongRow).where(col(StagedSongRow.batch_id) == batch_id))

    async def merge_stage(
        self,
        batch_id: uuid.UUID,
        model_version: str,
        classified_at: datetime,
        *,
        min_confidence: float,
        durable: bool = False,
    ) -> MergedSongs:
        """Store the staged songs, the highest ordinal of a track id winning; songs stored before are updated.

        Call it once in a transaction: a second merge could wait for a batch that waits for this one.

        Args:
            batch_id: the batch that they are of from now on.
            model_version: of the model that decided.
            classified_at: when it did.
            min_confidence: songs of lower confidence are stored as uncertain.
            durable: store those that were staged durably for this batch, not those of this transaction.
        """
        merge = _MERGE.format(staged=_STAGED_DURABLY if durable else _STAGED)
        await self._session.execute(
            text(merge),
            {
                "model_version": model_version,
                "batch_id": str(batch_id),
                "classified_at": classified_at,
                "min_confidence": min_confidence,
            },
        )
        counts = (
            select(col(SongRow.genre), func.count(), func.count().filter(~col(SongRow.confident)))
            .where(col(SongRow.batch_id) == batch_id)
            .group_by(col(SongRow.genre))
            .order_by(col(SongRow.genre))
        )
        rows = (await self._session.execute(counts)).all()
        return MergedSongs(
            genre_counts={genre: songs for genre, songs, _ in rows},
            uncertain=sum(uncertain for _, _, uncertain in rows),
        )

    async def _copy(self, table: str, columns: tuple[str, ...], records: Iterable[tuple[Any, ...]]) -> None:
        connection = await (await self._session.connection()).get_raw_connection()
        driver: Any = connection.driver_connection
        await driver.copy_records_to_table(table, records=records, columns=columns)


def _kept_count(confident: bool | None) -> SQLColumnExpression[int]:
    if confident is None:
        return col(GenreCountRow.song_count)
    uncertain = col(GenreCountRow.uncertain_count)
    return col(GenreCountRow.song_count) - uncertain if confident else uncertain


def _conditions(wanted: SongFilter) -> list[SQLColumnExpression[bool]]:
    conditions: list[SQLColumnExpression[bool]] = []
    if wanted.genre is not None:
        conditions.append(col(SongRow.genre) == wanted.genre)
    if wanted.title_contains is not None:
        conditions.append(col(SongRow.title_folded).contains(fold(wanted.title_contains), autoescape=True))
    if wanted.batch_id is not None:
        conditions.append(col(SongRow.batch_id) == wanted.batch_id)
    if wanted.confident is not None:
        # In the words of the partial indexes: a parameter would hide them from a prepared plan.
        conditions.append(col(SongRow.confident) if wanted.confident else ~col(SongRow.confident))
    return conditions
