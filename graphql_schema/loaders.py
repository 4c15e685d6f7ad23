"""One loader a relation, so that a list of songs costs one query a relation and not one a song."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from strawberry.dataloader import DataLoader

from app.database.tables import BatchRow, ModelRow, SongRow
from app.services.catalogue import Catalogue
from app.services.roles import Caller

Key = TypeVar("Key")
Value = TypeVar("Value")


class Loaders:
    """The loaders of one request. They remember what they read, so a mutation needs new ones."""

    def __init__(self, catalogue: Catalogue, caller: Caller) -> None:
        self._catalogue = catalogue
        self._caller = caller
        self.song: DataLoader[int, SongRow | None] = _by_key(catalogue.songs_by_track_ids)
        self.batch: DataLoader[uuid.UUID, BatchRow | None] = _by_key(self._batches)
        self.model: DataLoader[str, ModelRow | None] = _by_key(catalogue.models_by_versions)
        self.genre_song_count: DataLoader[str, int] = DataLoader(load_fn=self._genre_song_counts)

    async def _batches(self, batch_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, BatchRow]:
        return await self._catalogue.batches_by_ids(batch_ids, self._caller)

    async def _genre_song_counts(self, genres: list[str]) -> list[int]:
        # There are few genres: one statement for all of them is one statement for any of them.
        counts = await self._catalogue.genre_song_counts()
        return [counts.get(genre, 0) for genre in genres]


def _by_key(read: Callable[[Iterable[Key]], Awaitable[dict[Key, Value]]]) -> DataLoader[Key, Value | None]:
    async def load(keys: list[Key]) -> list[Value | None]:
        found = await read(keys)
        return [found.get(key) for key in keys]

    return DataLoader(load_fn=load)
