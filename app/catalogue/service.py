"""Read songs, genres, models and the version of the catalogue; register the loaded model in it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog

from app.catalogue.errors import InvalidArgumentError, UnknownGenreError
from app.catalogue.paging import Page, check_page_size
from app.catalogue.repository import CatalogueRepository, SongFilter, SongOrder, StoredSong
from app.catalogue.songs import SongRepository
from app.database.engine import Fetch, SessionFactory
from app.database.errors import is_outage, reason
from ml.model.manifest import Manifest
from ml.songs.contract import is_storable

MAX_SEARCH_LENGTH: Final = 500
MAX_VERSION_LENGTH: Final = 200

RETRY_SECONDS: Final = 0.5
"""Interval of attempts to register the model."""

log = structlog.get_logger(__name__)


class Catalogue:
    """Reads stored songs. Each call executes its own statements, so calls may run concurrently."""

    def __init__(self, fetch: Fetch, model_genres: Sequence[str]) -> None:
        """Create the catalogue.

        `fetch` needs a timeout of its own, because loaders read for several resolvers, so that cancelling one
        of these does not cancel the statement.
        """
        self._repository = CatalogueRepository(fetch)
        self._model_genres = model_genres
        self.song_count = self._repository.song_count
        self.songs_by_track_ids = self._repository.songs_by_track_ids
        self.verified_genres = self._repository.verified_genres
        self.genre_song_counts = self._repository.genre_song_counts
        self.manifests_by_versions = self._repository.manifests_by_versions
        self.version = CatalogueVersion(self._repository.version).current

    async def songs(
        self, song_filter: SongFilter, order: SongOrder, first: int, after: str | None, *, whole: bool = True
    ) -> Page[StoredSong]:
        """Return up to `first` songs after the cursor `after`, with ties ordered by track ID.

        With `whole`, songs include batch, time and probabilities, which take longer to read than the rest.

        Raises:
            InvalidArgumentError: `first` or a condition of `song_filter` is out of range.
            InvalidCursorError: `after` is not a cursor of a song list in this order.
            UnknownGenreError: neither the catalogue nor the model has the genre.
        """
        check_page_size(first)
        if song_filter.title_contains is not None:
            _check_text("titleContains", song_filter.title_contains, MAX_SEARCH_LENGTH)
        _check_confidences(song_filter.min_confidence, song_filter.max_confidence)
        if song_filter.model_version is not None:
            check_model_version(song_filter.model_version)
        if song_filter.genre is not None:
            await self.check_genre(song_filter.genre)
        return await self._repository.page(song_filter, order, first, after, whole=whole)

    async def check_genre(self, genre: str) -> None:
        """Check the name of a genre.

        Raises:
            UnknownGenreError: neither the catalogue nor the model has it.
        """
        if genre not in self._model_genres:
            stored = await self._repository.genre_song_counts()
            if genre not in stored:
                raise UnknownGenreError(genre, sorted({*stored, *self._model_genres}))


def _check_confidences(minimum: float | None, maximum: float | None) -> None:
    for name, confidence in (("minConfidence", minimum), ("maxConfidence", maximum)):
        if confidence is not None and not 0 <= confidence <= 1:
            raise InvalidArgumentError(name, f"must be from 0 to 1, not {confidence:g}")
    if minimum is not None and maximum is not None and minimum > maximum:
        raise InvalidArgumentError("maxConfidence", f"must be at least minConfidence ({minimum:g})")


def check_model_version(version: str) -> None:
    """Check the format of a model version; the model need not exist.

    Raises:
        InvalidArgumentError: the version is invalid.
    """
    _check_text("modelVersion", version, MAX_VERSION_LENGTH)


def _check_text(argument: str, text: str, max_length: int) -> None:
    if len(text) > max_length or not is_storable(text):
        raise InvalidArgumentError(argument, f"must be text of at most {max_length} characters")


class CatalogueVersion:
    """Reads the version of the catalogue, with one statement for all calls that wait for it to be sent.

    If the version is the same twice, no song was written in between.

    The trigger that counts songs stores a new random UUID in every transaction that writes songs:

    - It becomes visible exactly when the songs do. A sequence would change before its transaction commits,
      and `pg_current_snapshot()` with every login and heartbeat.
    - No writer waits for it, because the trigger already holds the lock of the counts.
    - It never repeats, as a counter could after a failover that lost the last transactions.

    All reads must reach one server: a standby may lag behind the version that the primary reports.
    """

    def __init__(self, read: Callable[[], Awaitable[uuid.UUID | None]]) -> None:
        self._read = read
        self._next: asyncio.Task[uuid.UUID | None] | None = None

    async def current(self) -> uuid.UUID | None:
        """Return the version at some moment after the call; None if there is none."""
        if self._next is None:
            self._next = asyncio.create_task(self._send())
            # Retrieve its error, which would be logged if all callers had timed out.
            self._next.add_done_callback(lambda sent: sent.cancelled() or sent.exception())
        return await asyncio.shield(self._next)

    async def _send(self) -> uuid.UUID | None:
        # A call from here on may come after the database has answered: it needs another statement.
        self._next = None
        return await self._read()


@asynccontextmanager
async def model_registered(sessions: SessionFactory, manifest: Manifest) -> AsyncIterator[None]:
    """Register a model in the database, so that batches can refer to it.

    If the database is not writable, registration is retried in the background; until it succeeds, no
    batch can be stored.
    """

    async def register() -> Exception | None:
        """Register the model; return the error if the database is unavailable."""
        try:
            async with sessions.begin() as session:
                await SongRepository(session).register_model(manifest)
        except Exception as error:
            if not is_outage(error):
                raise
            return error
        return None

    async def retry() -> None:
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            if await register() is None:
                return

    retrying: asyncio.Task[None] | None = None
    if (error := await register()) is not None:
        log.warning("cannot register the model, retrying", error=reason(error))
        retrying = asyncio.create_task(retry())
    try:
        yield
    finally:
        if retrying is not None:
            retrying.cancel()
