"""Data loaders: one query per relation for a list of songs, instead of one per song."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from strawberry.dataloader import DataLoader

from app.batches.explanations import SongExplanation, SongToExplain, StoredExplanations
from app.batches.service import Batches
from app.catalogue.repository import StoredSong
from app.catalogue.service import Catalogue
from app.clients.roles import Caller
from app.database.tables import BatchRow

Key = TypeVar("Key")
Value = TypeVar("Value")


class Loaders:
    """The loaders of one request. They cache what they read, so a mutation needs new ones."""

    def __init__(
        self, catalogue: Catalogue, batches: Batches, explanations: StoredExplanations, caller: Caller
    ) -> None:
        self._catalogue = catalogue
        self._batches = batches
        self._caller = caller
        self.song: DataLoader[int, StoredSong | None] = _by_key(catalogue.songs_by_track_ids)
        self.batch: DataLoader[uuid.UUID, BatchRow | None] = _by_key(self._batches_by_ids)
        self.manifest: DataLoader[str, dict[str, Any] | None] = _by_key(catalogue.manifests_by_versions)
        self.explanation: DataLoader[SongToExplain, SongExplanation | None] = _by_key(explanations.of)
        self.genre_song_count: DataLoader[str, int] = DataLoader(load_fn=self._genre_song_counts)

    async def _batches_by_ids(self, batch_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, BatchRow]:
        return await self._batches.by_ids(batch_ids, self._caller)

    async def _genre_song_counts(self, genres: list[str]) -> list[int]:
        # There are few genres, so one statement reads all of them.
        counts = await self._catalogue.genre_song_counts()
        return [counts.get(genre, 0) for genre in genres]


def _by_key(read: Callable[[Iterable[Key]], Awaitable[dict[Key, Value]]]) -> DataLoader[Key, Value | None]:
    async def load(keys: list[Key]) -> list[Value | None]:
        found = await read(keys)
        return [found.get(key) for key in keys]

    return DataLoader(load_fn=load)
