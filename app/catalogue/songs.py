"""SQL that writes the catalogue: batches are staged with COPY and merged with one ordered statement."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import CursorResult, func, text
from sqlalchemy.dialects.postgresql import insert

from app.catalogue.repository import CatalogueRepository
from app.database.engine import Repository
from app.database.tables import BatchRow, ModelRow
from ml.model.manifest import Manifest

_CREATE_STAGE = text("""
    CREATE TEMPORARY TABLE staged_songs (
        ordinal bigint, track_id bigint, genre smallint, confidence double precision,
        probabilities double precision[], numbers bytea, seen_in uuid,
        title text, title_folded text, tags text
    ) ON COMMIT DROP
""")

_EXCLUDE = text("""
    DELETE FROM staged_songs USING unnest(CAST(:ordinals AS bigint[])) AS excluded (ordinal)
    WHERE staged_songs.ordinal = excluded.ordinal
""")

_LOCK_SEEN = text("""
    SELECT count(*) FROM (
        SELECT FROM songs JOIN staged_songs AS staged USING (track_id)
        WHERE songs.batch_id = staged.seen_in
        ORDER BY track_id
        FOR UPDATE OF songs
    ) AS locked
""")

_EXCLUDE_CHANGED = text("""
    DELETE FROM staged_songs AS staged
    WHERE NOT EXISTS (
        SELECT FROM songs WHERE songs.track_id = staged.track_id AND songs.batch_id = staged.seen_in
    )
    RETURNING ordinal
""")

# In key order, so that concurrent batches lock rows in the same order and cannot deadlock.
_MERGE = text("""
    INSERT INTO songs (track_id, title, title_folded, predicted_genre, confidence, confident,
                       probabilities, model_version, batch_id, classified_at)
    SELECT track_id, title, title_folded, (CAST(:genres AS text[]))[genre + 1], confidence,
           confidence >= CAST(:min_confidence AS double precision), probabilities,
           :model_version, CAST(:batch_id AS uuid), CAST(:classified_at AS timestamptz)
    FROM staged_songs
    ORDER BY track_id
    ON CONFLICT (track_id) DO UPDATE SET
        title = excluded.title, title_folded = excluded.title_folded,
        predicted_genre = excluded.predicted_genre, confidence = excluded.confidence,
        confident = excluded.confident, probabilities = excluded.probabilities,
        model_version = excluded.model_version, batch_id = excluded.batch_id,
        classified_at = excluded.classified_at
""")

# After the merge, whose row locks on songs also protect their features. Files are often sent again with the
# same features, whose rows are longer than anything else that a merge writes.
_KEEP_FEATURES = text("""
    INSERT INTO song_features (track_id, numbers, tags)
    SELECT track_id, numbers, tags FROM staged_songs WHERE numbers IS NOT NULL
    ON CONFLICT (track_id) DO UPDATE SET numbers = excluded.numbers, tags = excluded.tags
    WHERE (song_features.numbers, song_features.tags) IS DISTINCT FROM (excluded.numbers, excluded.tags)
""")

_DROP_FEATURES = text("""
    DELETE FROM song_features AS kept USING staged_songs AS staged
    WHERE kept.track_id = staged.track_id AND staged.numbers IS NULL
""")

# Lock all rows in key order, as merges do, before deleting any.
_REMOVE = """
    WITH locked AS (SELECT track_id FROM songs WHERE {conditions} ORDER BY track_id FOR UPDATE)
    DELETE FROM songs USING locked WHERE songs.track_id = locked.track_id
"""

_LOCK = text("""
    SELECT track_id FROM songs WHERE track_id = ANY(CAST(:track_ids AS bigint[])) ORDER BY track_id FOR UPDATE
""")

_VERIFY = text("""
    UPDATE songs SET
        verified_genre = verified.genre,
        verified_by = CASE WHEN verified.genre IS NOT NULL THEN :client_id END,
        verified_at = CASE WHEN verified.genre IS NOT NULL THEN now() END,
        verified_model_version = CASE WHEN verified.genre IS NOT NULL THEN model_version END,
        first_verified_at = coalesce(first_verified_at, now())
    FROM unnest(CAST(:track_ids AS bigint[]), CAST(:genres AS text[])) AS verified (track_id, genre)
    WHERE songs.track_id = verified.track_id AND verified_genre IS DISTINCT FROM verified.genre
""")

_REMOVED = {
    "track_ids": "track_id = ANY(CAST(:track_ids AS bigint[]))",
    "batch_id": "batch_id = CAST(:batch_id AS uuid)",
    "client_id": "batch_id IN (SELECT id FROM batches WHERE client_id = :client_id)",
}


class SongRepository(Repository):
    """Writes songs and the models that classified them."""

    async def register_model(self, manifest: Manifest) -> None:
        """Store a model to which batches refer, unless its version is already stored."""
        row = {"version": manifest.model_version, "manifest": manifest.to_json(), "registered_at": func.now()}
        await self._session.execute(insert(ModelRow).values(row).on_conflict_do_nothing())

    async def catalogue(self) -> CatalogueRepository:
        """Return the catalogue as seen by this transaction."""
        return CatalogueRepository((await self._driver()).fetch)

    async def open_stage(self) -> None:
        """Create the temporary staging table; it is dropped at the end of the transaction."""
        await self._session.execute(_CREATE_STAGE)

    async def stage(self, columns: Sequence[str], rows: bytes) -> None:
        """Add songs to the staging table: rows in PostgreSQL's binary COPY format, with these columns."""
        driver = await self._driver()
        await driver.copy_to_table("staged_songs", source=io.BytesIO(rows), columns=columns, format="binary")

    async def exclude(self, ordinals: Sequence[int]) -> None:
        """Remove songs from the staging table."""
        await self._session.execute(_EXCLUDE, {"ordinals": ordinals})

    async def exclude_changed(self) -> list[int]:
        """Remove staged songs whose stored rows have changed, and return their ordinals."""
        await self._session.execute(_LOCK_SEEN)
        return list(await self._session.scalars(_EXCLUDE_CHANGED))

    async def merge_stage(self, batch: BatchRow, genres: Sequence[str], classified_at: datetime) -> None:
        """Insert or update the staged songs, whose track IDs must be unique.

        The songs refer to `genres`, those of the batch's model, by index. Stored features are replaced by the
        staged ones, or deleted if there are none; a batch that reclassifies stored songs keeps them.

        Call it only once per transaction, because a second merge could deadlock with another batch.
        """
        values = {
            "genres": list(genres),
            "model_version": batch.model_version,
            "batch_id": str(batch.id),
            "classified_at": classified_at,
            "min_confidence": batch.min_confidence,
        }
        await self._session.execute(_MERGE, values)
        if batch.selection is None:
            await self._session.execute(_DROP_FEATURES)
            await self._session.execute(_KEEP_FEATURES)

    async def lock(self, track_ids: Iterable[int]) -> set[int]:
        """Lock the given songs for this transaction, and return those that are stored."""
        return set(await self._session.scalars(_LOCK, {"track_ids": list(track_ids)}))

    async def verify(self, genres: Mapping[int, str | None], client_id: str) -> int:
        """Store verified genres of locked songs by track ID, and return the number of changes."""
        values = {"track_ids": list(genres), "genres": list(genres.values()), "client_id": client_id}
        result = await self._session.execute(_VERIFY, values)
        assert isinstance(result, CursorResult)
        return result.rowcount

    async def remove(
        self,
        *,
        track_ids: Sequence[int] | None = None,
        batch_id: uuid.UUID | None = None,
        client_id: str | None = None,
    ) -> int:
        """Delete the songs that match all conditions, with their features, and return their number.

        `batch_id` or `client_id` select the songs that this batch, or this client's batches, classified last.
        """
        conditions_by_name = {
            "track_ids": None if track_ids is None else list(track_ids),
            "batch_id": None if batch_id is None else str(batch_id),
            "client_id": client_id,
        }
        values = {name: value for name, value in conditions_by_name.items() if value is not None}
        conditions = " AND ".join(_REMOVED[name] for name in values) or "true"
        result = await self._session.execute(text(_REMOVE.format(conditions=conditions)), values)
        assert isinstance(result, CursorResult)
        return result.rowcount
