"""Reading what is stored: songs, genres, batches and the models behind them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncSession

from app.database.engine import SessionFactory
from app.database.tables import BatchProblemRow, BatchRow, ModelRow, SongRow
from app.repositories.batches import BatchRepository
from app.repositories.genres import GenreRepository
from app.repositories.models import ModelRepository
from app.repositories.paging import Page
from app.repositories.songs import ExportedSong, SongFilter, SongRepository
from app.services.errors import InvalidArgumentError, UnknownGenreError
from app.services.roles import Caller
from ml.songs import is_storable

MAX_PAGE_SIZE = 1_000
EXPORT_PAGE_SIZE = 5_000
MAX_SEARCH_LENGTH = 500
DEFAULT_READ_TIMEOUT_SECONDS = 30.0


class Catalogue:
    """Answers about stored songs. Every call reads in a session of its own, so calls may overlap."""

    def __init__(
        self,
        sessions: SessionFactory,
        model_genres: Sequence[str],
        *,
        read_timeout_seconds: float = DEFAULT_READ_TIMEOUT_SECONDS,
    ) -> None:
        """Make the catalogue.

        Args:
            sessions: where transactions come from.
            model_genres: the genres that the model knows.
            read_timeout_seconds: how long one read may take, its wait for a connection included. A loader
                reads on behalf of several resolvers, and does not end when one of them is given up.
        """
        self._sessions = sessions
        self._model_genres = model_genres
        self._read_timeout_seconds = read_timeout_seconds

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncSession]:
        # A cancelled call cancels its statement in the database, too.
        async with asyncio.timeout(self._read_timeout_seconds), self._sessions() as session:
            yield session

    async def songs(self, wanted: SongFilter, first: int, after: str | None) -> Page[SongRow]:
        """Return a page of songs by title, ties by track id.

        Raises:
            InvalidArgumentError: `first` or a condition of `wanted` is out of range.
            InvalidCursorError: `after` is not a cursor of a song list.
            UnknownGenreError: nobody knows the genre asked for.
        """
        _check_page_size(first)
        title_contains = wanted.title_contains
        if title_contains is not None and (
            len(title_contains) > MAX_SEARCH_LENGTH or not is_storable(title_contains)
        ):
            raise InvalidArgumentError(
                "titleContains", f"must be text of at most {MAX_SEARCH_LENGTH} characters"
            )
        async with self._reading() as session:
            if wanted.genre is not None and wanted.genre not in self._model_genres:
                stored = await GenreRepository(session).song_counts()
                if wanted.genre not in stored:
                    raise UnknownGenreError(wanted.genre, sorted({*stored, *self._model_genres}))
            return await SongRepository(session).page(wanted, first, after)

    async def exported_songs(self, batch_id: uuid.UUID) -> AsyncGenerator[Sequence[ExportedSong], None]:
        """Give out all songs of a batch by title, page by page, so that a slow reader holds no connection."""
        after: tuple[str, int] | None = None
        while True:
            async with self._reading() as session:
                songs = await SongRepository(session).exported(batch_id, EXPORT_PAGE_SIZE, after)
            if songs:
                yield songs
            if len(songs) < EXPORT_PAGE_SIZE:
                return
            after = (songs[-1][1], songs[-1][0])

    async def song_count(self, wanted: SongFilter) -> int:
        """Return how many songs fit."""
        async with self._reading() as session:
            return await SongRepository(session).count(wanted)

    async def songs_by_track_ids(self, track_ids: Iterable[int]) -> dict[int, SongRow]:
        """Return the stored songs among these, by track id."""
        async with self._reading() as session:
            return await SongRepository(session).by_track_ids(track_ids)

    async def genre_song_counts(self) -> dict[str, int]:
        """Return the genres that songs are stored of, by name, with how many."""
        async with self._reading() as session:
            return await GenreRepository(session).song_counts()

    async def batches(self, first: int, after: str | None, caller: Caller) -> Page[BatchRow]:
        """Return a page of the batches that the caller may see, newest first.

        Raises:
            InvalidArgumentError: `first` is out of range.
            InvalidCursorError: `after` is not a cursor of the batch list.
        """
        _check_page_size(first)
        async with self._reading() as session:
            return await BatchRepository(session).page(first, after, caller.batches_of)

    async def batch_count(self, caller: Caller) -> int:
        """Return how many batches the caller may see."""
        async with self._reading() as session:
            return await BatchRepository(session).count(caller.batches_of)

    async def batches_by_ids(
        self, batch_ids: Iterable[uuid.UUID], caller: Caller
    ) -> dict[uuid.UUID, BatchRow]:
        """Return the batches among these that exist and that the caller may see, by id."""
        async with self._reading() as session:
            batches = await BatchRepository(session).by_ids(batch_ids)
        return {key: batch for key, batch in batches.items() if caller.may_see(batch.client_id)}

    async def batch_problems(self, batch_id: uuid.UUID, first: int) -> Sequence[BatchProblemRow]:
        """Return the first problems found in a batch's file.

        Raises:
            InvalidArgumentError: `first` is out of range.
        """
        _check_page_size(first)
        async with self._reading() as session:
            return await BatchRepository(session).problems(batch_id, first)

    async def models_by_versions(self, versions: Iterable[str]) -> dict[str, ModelRow]:
        """Return the models among these that have classified songs here, by version."""
        async with self._reading() as session:
            return await ModelRepository(session).by_versions(versions)


def _check_page_size(first: int) -> None:
    if not 0 <= first <= MAX_PAGE_SIZE:
        raise InvalidArgumentError("first", f"must be from 0 to {MAX_PAGE_SIZE:,}, not {first}")
