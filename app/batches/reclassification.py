"""Read stored songs for reclassification with the current model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from app.batches.classifier import CHUNK_ROWS
from app.batches.song_parts import CatalogueSongs
from app.batches.stored_songs import Selection, StoredSongsRepository
from app.database.engine import SessionFactory
from ml.songs.contract import Songs
from ml.songs.problems import SongFileReport


@dataclass(frozen=True, slots=True)
class ReadSongs:
    """Read position among stored songs, which are read in order of track ID.

    Attributes:
        after: last track ID read.
        rows: number of songs read.
        with_missing_values: number of those with missing values.
    """

    after: int = -1
    rows: int = 0
    with_missing_values: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the state as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> ReadSongs | None:
        """Return the state from the output of `to_json`; None for other documents."""
        try:
            return cls(*(int(document[name]) for name in ("after", "rows", "with_missing_values")))
        except (KeyError, TypeError, ValueError):
            return None


class StoredSongs:
    """Selected songs of the catalogue, read in chunks by a classifier thread."""

    def __init__(self, sessions: SessionFactory, selection: Selection, state: ReadSongs) -> None:
        """Create the source.

        Args:
            sessions: creates database sessions.
            selection: the songs to read.
            state: position to resume from.
        """
        self._sessions = sessions
        self._selection = selection
        self._loop = asyncio.get_running_loop()
        self.state = state

    @property
    def report(self) -> SongFileReport:
        """The report so far."""
        state = self.state
        return SongFileReport(rows=state.rows, rows_with_missing_values_classified=state.with_missing_values)

    def chunks(self) -> Iterator[Songs]:
        """Yield the songs in order of track ID."""
        while True:
            songs = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
            if not len(songs):
                return
            missing = np.isnan(songs.numbers).any(axis=1) | np.array([not tags for tags in songs.tags])
            self.state = ReadSongs(
                after=int(songs.track_ids[-1]),
                rows=self.state.rows + len(songs),
                with_missing_values=self.state.with_missing_values + int(np.count_nonzero(missing)),
            )
            yield songs

    async def _next(self) -> CatalogueSongs:
        async with self._sessions() as session:
            return await StoredSongsRepository(session).after(self._selection, self.state.after, CHUNK_ROWS)
