"""Songs with their features: explain their genres on demand, and read stored ones to reclassify them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
from sqlalchemy import text

from app.batches.classifier import CHUNK_ROWS, SongClassifier
from app.batches.song_parts import CatalogueSongs, SongPart
from app.catalogue.repository import StoredSong
from app.database.engine import Repository, SessionFactory, reading
from ml.model.explanation import Explanations, FeatureContribution, explain
from ml.songs.contract import NUMBER_COLUMNS, Songs
from ml.songs.problems import SongFileReport

MAX_FEATURES = 20
"""Maximum number of features in the explanation of a song."""

_COUNT = "SELECT count(*) FROM songs JOIN song_features USING (track_id)"

_SELECT = """
    SELECT track_id, title, tags, numbers, batch_id FROM songs JOIN song_features USING (track_id)
"""

_VERIFIED = """
    SELECT track_id, title, tags, numbers, batch_id, verified_genre, verified_at
    FROM songs LEFT JOIN song_features USING (track_id) WHERE verified_genre IS NOT NULL ORDER BY track_id
"""

_CONDITIONS = {
    "batch_id": "batch_id = CAST(:batch_id AS uuid)",
    "genre": "genre = :genre",
    "model_version": "model_version = :model_version",
}


@dataclass(frozen=True, slots=True)
class Selection:
    """Selects the stored songs that match all given conditions.

    Attributes:
        batch_id: ID of the batch that classified them last.
        genre: their genre.
        model_version: version of the model that classified them.
    """

    batch_id: str | None = None
    genre: str | None = None
    model_version: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the selection as a JSON object."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def condition(self) -> str:
        """The SQL condition, with the values of `to_json` as parameters."""
        return " AND ".join(_CONDITIONS[name] for name in self.to_json()) or "true"


@dataclass(frozen=True, slots=True)
class VerifiedRows:
    """Songs whose genres people verified.

    Attributes:
        songs: n songs with stored features.
        genres: n verified genres.
        until: time of the newest of these verifications; None without any.
        without_features: number of other verified songs, without stored features.
    """

    songs: CatalogueSongs
    genres: tuple[str, ...]
    until: datetime | None
    without_features: int


class StoredSongsRepository(Repository):
    """Reads stored songs with their features."""

    async def count(self, selection: Selection) -> int:
        """Return the number of selected songs that have stored features."""
        statement = text(f"{_COUNT} WHERE {selection.condition}")
        return int(await self._session.scalar(statement, selection.to_json()))

    async def after(self, selection: Selection, track_id: int, limit: int) -> CatalogueSongs:
        """Return the next selected songs after a track ID."""
        conditions = f"track_id > :after AND {selection.condition}"
        statement = text(f"{_SELECT} WHERE {conditions} ORDER BY track_id LIMIT {limit}")
        rows = await self._session.execute(statement, {"after": track_id, **selection.to_json()})
        return _songs(rows.all())

    async def by_track_ids(self, track_ids: Sequence[int]) -> CatalogueSongs:
        """Return the given songs that have stored features."""
        statement = f"{_SELECT} WHERE track_id = ANY(CAST(:track_ids AS bigint[]))"
        rows = await self._session.execute(text(statement), {"track_ids": list(track_ids)})
        return _songs(rows.all())

    async def verified(self) -> VerifiedRows:
        """Return the songs whose genres people verified, by track ID."""
        rows = (await self._session.execute(text(_VERIFIED))).all()
        complete = [row for row in rows if row.numbers is not None]
        return VerifiedRows(
            songs=_songs(complete),
            genres=tuple(row.verified_genre for row in complete),
            until=max((row.verified_at for row in complete), default=None),
            without_features=len(rows) - len(complete),
        )


def _songs(rows: Sequence[Sequence[Any]]) -> CatalogueSongs:
    """Return the songs in rows that start with the columns of `_SELECT`; names take ten times as long."""
    numbers = np.frombuffer(b"".join(row[3] for row in rows), "<f4")
    return CatalogueSongs(
        track_ids=np.array([row[0] for row in rows], np.int64),
        titles=[row[1] for row in rows],
        tags=[row[2] for row in rows],
        numbers=numbers.reshape(len(rows), len(NUMBER_COLUMNS)).astype(np.float32),
        seen_in=[row[4] for row in rows],
    )


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
        """Return the state as a JSON object, whose values are the arguments to create it."""
        return asdict(self)


class StoredSongs:
    """Selected songs of the catalogue, read in chunks by a classifier thread."""

    def __init__(self, sessions: SessionFactory, selection: Selection, state: ReadSongs) -> None:
        """Create the source, which resumes from a position."""
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


SongExplanation = Callable[[int], list[FeatureContribution]]
"""Returns this many features of a song: those with the strongest influence for or against its genre."""


class SongExplanations:
    """Explanations of the songs that a request classified, computed together on first use."""

    def __init__(self, classifier: SongClassifier, part: SongPart, rows: Mapping[int, int]) -> None:
        """Create the explanations of a part, which has features; `rows` are the songs' rows by key."""
        self._classifier = classifier
        self._part = part
        self._rows = rows
        self._running: asyncio.Future[Explanations] | None = None

    async def of(self, key: int) -> SongExplanation:
        """Return the explanation of one of the songs."""
        if self._running is None:
            ensemble = self._classifier.ensemble
            genres = [ensemble.genres[column] for column in self._part.best]
            self._running = self._classifier.run(explain, ensemble, self._part.songs, genres)
        # Shielded, because cancelling one song's request must not cancel the others.
        explanations = await asyncio.shield(self._running)
        return partial(explanations.strongest, self._rows[key])


@dataclass(frozen=True, slots=True)
class StoredExplanations:
    """Explanations of stored songs, computed from their stored features."""

    sessions: SessionFactory
    classifier: SongClassifier
    read_timeout_seconds: float

    async def of(self, songs: Sequence[StoredSong]) -> list[SongExplanation | None]:
        """Return the explanations of songs.

        Those of songs that another model classified, songs without stored features, and songs that were
        reclassified since they were read are None.
        """
        ensemble = self.classifier.ensemble
        genres = {
            (song.track_id, song.batch_id): song.predicted_genre
            for song in songs
            if song.model_version == self.classifier.model_version and song.predicted_genre in ensemble.genres
        }
        if not genres:
            return [None] * len(songs)
        async with reading(self.sessions, self.read_timeout_seconds) as session:
            stored = await StoredSongsRepository(session).by_track_ids([track_id for track_id, _ in genres])
        keys = zip(stored.track_ids.tolist(), stored.seen_in, strict=True)
        rows = {key: row for row, key in enumerate(keys) if key in genres}
        if not rows:
            return [None] * len(songs)
        unchanged = stored.take(list(rows.values()))
        explanations = await self.classifier.run(explain, ensemble, unchanged, [genres[key] for key in rows])
        by_key = {key: partial(explanations.strongest, row) for row, key in enumerate(rows)}
        return [by_key.get((song.track_id, song.batch_id)) for song in songs]
