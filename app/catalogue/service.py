"""Read songs, genres, models and the version of the catalogue."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from app.catalogue.errors import InvalidArgumentError, UnknownGenreError
from app.catalogue.paging import Page, check_page_size
from app.catalogue.repository import CatalogueRepository, SongFilter, SongOrder, StoredSong
from app.database.read_pool import Fetch
from ml.songs.contract import is_storable

MAX_SEARCH_LENGTH: Final = 500
MAX_VERSION_LENGTH: Final = 200


class Catalogue:
    """Reads stored songs. Each call executes its own statements, so calls may run concurrently."""

    def __init__(self, fetch: Fetch, model_genres: Sequence[str]) -> None:
        """Create the catalogue.

        Args:
            fetch: executes a statement with a timeout. The timeout is needed because loaders read for several
                resolvers, so cancelling one of them does not cancel the statement.
            model_genres: genres of the model.
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
        self, wanted: SongFilter, order: SongOrder, first: int, after: str | None, *, whole: bool = True
    ) -> Page[StoredSong]:
        """Return a page of songs, with ties ordered by track ID.

        Args:
            wanted: the songs to list.
            order: order of the list.
            first: maximum number of songs.
            after: cursor to continue after.
            whole: whether to also read batch, time and probabilities, which take longer than the rest.

        Raises:
            InvalidArgumentError: `first` or a condition of `wanted` is out of range.
            InvalidCursorError: `after` is not a cursor of a song list in this order.
            UnknownGenreError: neither the catalogue nor the model has the genre.
        """
        check_page_size(first)
        title_contains = wanted.title_contains
        if title_contains is not None and (
            len(title_contains) > MAX_SEARCH_LENGTH or not is_storable(title_contains)
        ):
            raise InvalidArgumentError(
                "titleContains", f"must be text of at most {MAX_SEARCH_LENGTH} characters"
            )
        _check_confidences(wanted.min_confidence, wanted.max_confidence)
        if wanted.model_version is not None:
            check_model_version(wanted.model_version)
        if wanted.genre is not None:
            await self.check_genre(wanted.genre)
        return await self._repository.page(wanted, order, first, after, whole=whole)

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
    if len(version) > MAX_VERSION_LENGTH or not is_storable(version):
        raise InvalidArgumentError("modelVersion", f"must be text of at most {MAX_VERSION_LENGTH} characters")


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
        """Make the reader.

        Args:
            read: sends the statement.
        """
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
