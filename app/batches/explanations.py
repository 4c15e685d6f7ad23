"""Explanations of predicted genres, computed on demand."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.batches.classifier import SongClassifier
from app.batches.stored_songs import StoredSongsRepository
from app.database.engine import SessionFactory, reading
from ml.model.explanation import Explanations, FeatureContribution, explain
from ml.songs.contract import Songs

MAX_FEATURES = 20
"""Maximum number of features in the explanation of a song."""


@dataclass(frozen=True, slots=True)
class SongExplanation:
    """The explanation of one song's genre."""

    explanations: Explanations
    row: int

    def strongest(self, first: int) -> list[FeatureContribution]:
        """Return the `first` features with the strongest influence for or against the genre."""
        return self.explanations.strongest(self.row, first)


class SongExplanations:
    """Explanations of the songs of one request, computed together on first use."""

    def __init__(
        self, keys: Sequence[int], explain_songs: Callable[[], asyncio.Future[Explanations]]
    ) -> None:
        """Create the explanations.

        Args:
            keys: unique keys of the songs: their track IDs or indexes.
            explain_songs: starts the computation in another thread; its rows are in the order of `keys`.
        """
        self._rows = {key: row for row, key in enumerate(keys)}
        self._explain_songs = explain_songs
        self._running: asyncio.Future[Explanations] | None = None

    async def of(self, key: int) -> SongExplanation:
        """Return the explanation of one of the songs."""
        if self._running is None:
            self._running = self._explain_songs()
        # Shielded, because cancelling one song's request must not cancel the others.
        return SongExplanation(await asyncio.shield(self._running), self._rows[key])


class SongToExplain(NamedTuple):
    """A stored song at the time it was read."""

    track_id: int
    batch_id: uuid.UUID
    genre: str
    model_version: str


@dataclass(frozen=True, slots=True)
class StoredExplanations:
    """Explanations of stored songs, computed from their stored features."""

    sessions: SessionFactory
    classifier: SongClassifier
    read_timeout_seconds: float

    async def of(self, songs: Iterable[SongToExplain]) -> dict[SongToExplain, SongExplanation]:
        """Return the explanations of songs.

        Omits songs that another model classified, songs without stored features, and songs that were
        reclassified since they were read.
        """
        ensemble = self.classifier.ensemble
        wanted = {
            (song.track_id, song.batch_id): song
            for song in songs
            if song.model_version == self.classifier.model_version and song.genre in ensemble.genres
        }
        if not wanted:
            return {}
        async with reading(self.sessions, self.read_timeout_seconds) as session:
            stored = await StoredSongsRepository(session).by_track_ids([track_id for track_id, _ in wanted])
        found = [wanted.get(key) for key in zip(stored.track_ids.tolist(), stored.seen_in, strict=True)]
        rows = [row for row, song in enumerate(found) if song is not None]
        explained = [song for song in found if song is not None]
        if not explained:
            return {}

        def work(chosen: Songs) -> Explanations:
            return explain(ensemble, chosen, [song.genre for song in explained])

        explanations = await self.classifier.run(work, stored.take(rows))
        return {song: SongExplanation(explanations, row) for row, song in enumerate(explained)}
