"""Verified genres, stored alongside the predicted ones."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import structlog

from app.catalogue.errors import InvalidArgumentError
from app.catalogue.repository import StoredSong
from app.catalogue.songs import SongRepository
from app.database.engine import SessionFactory
from ml.songs.contract import is_storable

MAX_GENRE_LENGTH: Final = 100

MAX_GENRES: Final = 1_000
"""Maximum number of genres in the catalogue, because lists of genres are not paged."""

log = structlog.get_logger(__name__)


class UnknownSongsError(Exception):
    """Some songs are not in the catalogue, so nothing was verified."""

    def __init__(self, track_ids: Sequence[int]) -> None:
        self.track_ids = track_ids
        are = "1 song is" if len(track_ids) == 1 else f"{len(track_ids):,} songs are"
        super().__init__(
            f"{are} not in the catalogue, so nothing was verified. Remove the unknown track IDs."
        )


class Verification:
    """Stores verified genres, all or nothing."""

    def __init__(self, sessions: SessionFactory, model_genres: Collection[str]) -> None:
        """Create the service.

        Args:
            sessions: creates database sessions; verifying waits for batches that merge the same songs.
            model_genres: genres of the model.
        """
        self._sessions = sessions
        self._model_genres = model_genres

    async def verify(self, genres: Mapping[int, str | None], client_id: str) -> list[StoredSong]:
        """Store verified genres by track ID, where None removes one, and return the songs in order.

        A song that already has the same verified genre keeps the client and time of its verification.

        Raises:
            InvalidArgumentError: a genre name is invalid.
            UnknownSongsError: some songs are not in the catalogue.
        """
        composed = {
            track_id: None if genre is None else unicodedata.normalize("NFC", genre)
            for track_id, genre in genres.items()
        }
        async with self._sessions.begin() as session:
            songs = SongRepository(session)
            given = {genre for genre in composed.values() if genre is not None}
            catalogue = await songs.catalogue()
            _check_genres(given, {*self._model_genres, *await catalogue.genre_song_counts()})
            locked = await songs.lock(composed)
            if unknown := [track_id for track_id in composed if track_id not in locked]:
                raise UnknownSongsError(unknown)
            changed = await songs.verify(composed, client_id)
            stored = await catalogue.songs_by_track_ids(composed)
        log.info("songs verified", client_id=client_id, songs=len(composed), changed=changed)
        return [stored[track_id] for track_id in composed]


def _check_genres(given: Iterable[str], known: Collection[str]) -> None:
    for genre in sorted(given):
        shown = repr(genre[:MAX_GENRE_LENGTH])
        if not 1 <= len(genre) <= MAX_GENRE_LENGTH or not is_storable(genre) or not genre.isprintable():
            problem = f"must have 1 to {MAX_GENRE_LENGTH} printable characters, not {shown}"
            raise InvalidArgumentError("genre", problem)
        if genre != genre.strip():
            raise InvalidArgumentError("genre", f"{shown} has leading or trailing spaces; remove them")
    folded = {genre.casefold(): genre for genre in known}
    new = sorted(genre for genre in given if genre not in known)
    for genre in new:
        similar = folded.setdefault(genre.casefold(), genre)
        if similar != genre:
            raise InvalidArgumentError(
                "genre", f"{genre!r} differs from {similar!r} only in case; use {similar!r}"
            )
    if new and len(known) + len(new) > MAX_GENRES:
        raise InvalidArgumentError("genre", f"the catalogue is limited to {MAX_GENRES:,} genres")
