"""SQL that reads the catalogue: keyset pages of songs, maintained counts, models."""

from __future__ import annotations

import json
import re
import unicodedata
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from itertools import starmap
from typing import Any, Final, NamedTuple

from app.catalogue.errors import InvalidCursorError
from app.catalogue.paging import Page, decode_cursor, encode_cursor
from app.database.engine import Fetch
from ml.songs.contract import MAX_TRACK_ID


@dataclass(frozen=True, slots=True)
class SongFilter:
    """Selects the songs that match all given conditions."""

    genre: str | None = None
    title_contains: str | None = None
    batch_id: uuid.UUID | None = None
    confident: bool | None = None
    model_version: str | None = None
    verified: bool | None = None
    min_confidence: float | None = None
    max_confidence: float | None = None


class SongOrder(StrEnum):
    """Order of a list of songs."""

    TITLE = "TITLE"
    CONFIDENCE = "CONFIDENCE"
    CONFIDENCE_DESC = "CONFIDENCE_DESC"


_NOT_READ: Final[Any] = object()


class StoredSong(NamedTuple):
    """A row of the table `songs`; the columns from `batch_id` on are read only if needed."""

    track_id: int
    title: str
    genre: str
    confidence: float
    confident: bool
    model_version: str
    batch_id: uuid.UUID = _NOT_READ
    classified_at: datetime = _NOT_READ
    probabilities: Sequence[float] = _NOT_READ
    predicted_genre: str = _NOT_READ
    verified_genre: str | None = _NOT_READ
    verified_by: str | None = _NOT_READ
    verified_at: datetime | None = _NOT_READ
    verified_model_version: str | None = _NOT_READ

    def cursor(self, order: SongOrder) -> str:
        """Return the song's cursor in lists of this order."""
        key = self.title if order is SongOrder.TITLE else repr(self.confidence)
        return encode_cursor(order, key, str(self.track_id))


_SONG_COLUMNS: Final = ", ".join(StoredSong._fields)

_PAGE_COLUMNS: Final = ", ".join(StoredSong._fields[: -len(StoredSong._field_defaults)])

_FIRST_OF_ALL_GENRES: Final = """
    songs JOIN (
        SELECT track_id
        FROM genre_counts
        CROSS JOIN LATERAL (
            SELECT {key}, track_id FROM songs {conditions} {ordering} LIMIT {limit}
        ) AS first_of_genre
        {ordering} LIMIT {limit}
    ) AS candidates USING (track_id)
"""
"""Songs of all genres, from the indexes that start with a genre."""

_GENRE_COUNTS: Final = "SELECT genre, song_count FROM genre_counts WHERE song_count > 0 ORDER BY genre"

_VERIFIED_GENRES: Final = """
    SELECT track_id, verified_genre FROM songs WHERE track_id = ANY($1) AND verified_genre IS NOT NULL
"""

_VERIFIED_OUTCOMES: Final = """
    SELECT verified_genre, least(floor(confidence * $3::int)::int, $3::int - 1) AS bin, count(*),
           count(*) FILTER (WHERE evaluated),
           count(*) FILTER (WHERE evaluated AND predicted_genre = verified_genre)
    FROM songs
    CROSS JOIN LATERAL (
        SELECT model_version = $1 AND ($2::timestamptz IS NULL OR first_verified_at > $2) AS evaluated
    ) AS checked
    WHERE verified_genre IS NOT NULL
    GROUP BY verified_genre, bin
"""

_COUNT_COLUMN: Final = {None: "song_count", True: "song_count - uncertain_count", False: "uncertain_count"}


def fold(title: str) -> str:
    """Return a title in NFC and case-folded, for searches."""
    return unicodedata.normalize("NFC", title).casefold()


class CatalogueRepository:
    """Reads the catalogue; each call executes one statement."""

    def __init__(self, fetch: Fetch) -> None:
        """Create it for a pool (`ReadPool.fetch`) or for a connection in a transaction (`fetch`)."""
        self._fetch = fetch

    async def page(
        self, song_filter: SongFilter, order: SongOrder, first: int, after: str | None, *, whole: bool
    ) -> Page[StoredSong]:
        """Return a page of songs; see `Catalogue.songs` for the arguments.

        Raises:
            InvalidCursorError: `after` is not a cursor of a song list in this order.
        """
        key = "title" if order is SongOrder.TITLE else "confidence"
        comparison, direction = ("<", "DESC") if order is SongOrder.CONFIDENCE_DESC else (">", "ASC")
        conditions = _Conditions(song_filter)
        if after is not None:
            conditions.add(f"({key}, track_id) {comparison} ({{}}, {{}})", *_song_key(after, order))
        # LIMIT is no parameter: PostgreSQL would then plan for a tenth of all songs or replan each page.
        # Client values are passed as arguments, except for `first`, a checked integer.
        columns = _SONG_COLUMNS if whole else _PAGE_COLUMNS
        ordering = f"ORDER BY {key} {direction}, track_id {direction}"
        if _needs_genres(song_filter, order):
            conditions.add("songs.genre = genre_counts.genre")
            source = _FIRST_OF_ALL_GENRES.format(
                key=key, conditions=conditions, ordering=ordering, limit=first + 1
            )
            sql = f"SELECT {columns} FROM {source} {ordering}"  # nosec B608
        else:
            sql = f"SELECT {columns} FROM songs {conditions} {ordering} LIMIT {first + 1}"  # nosec B608
        rows = await self._fetch(sql, *conditions.arguments)
        return Page.of(list(starmap(StoredSong, rows)), first)

    async def song_count(self, song_filter: SongFilter) -> int:
        """Return the number of songs, from the maintained counts if the filter allows it."""
        if song_filter == SongFilter(genre=song_filter.genre, confident=song_filter.confident):
            count = f"coalesce(sum({_COUNT_COLUMN[song_filter.confident]}), 0)::bigint FROM genre_counts"
            conditions = _Conditions(SongFilter(genre=song_filter.genre))
        else:
            count, conditions = "count(*) FROM songs", _Conditions(song_filter)
        ((number,),) = await self._fetch(f"SELECT {count} {conditions}", *conditions.arguments)
        return int(number)

    async def songs_by_track_ids(self, track_ids: Iterable[int]) -> dict[int, StoredSong]:
        """Return the given songs that are stored, by track ID."""
        sql = f"SELECT {_SONG_COLUMNS} FROM songs WHERE track_id = ANY($1)"  # nosec B608 - constants
        rows = await self._fetch(sql, list(track_ids))
        return {song.track_id: song for song in starmap(StoredSong, rows)}

    async def verified_genres(self, track_ids: Iterable[int]) -> dict[int, str]:
        """Return the verified genres of the given songs, by track ID, omitting unverified songs."""
        return dict(await self._fetch(_VERIFIED_GENRES, list(track_ids)))

    async def verified_outcomes(
        self, model_version: str, verified_until: datetime | None, bins: int
    ) -> list[tuple[str, int, int, int, int]]:
        """Count verified songs by verified genre and confidence range.

        Songs first verified by `verified_until` are not evaluated, unless that is None.

        Returns:
            Genre, index of the range, all songs, evaluated songs, and correctly predicted songs.
        """
        rows = await self._fetch(_VERIFIED_OUTCOMES, model_version, verified_until, bins)
        return list(map(tuple, rows))

    async def genre_song_counts(self) -> dict[str, int]:
        """Return the number of stored songs by genre, ordered by name."""
        return dict(await self._fetch(_GENRE_COUNTS))

    async def version(self) -> uuid.UUID | None:
        """Return the version of the catalogue, or None."""
        rows = await self._fetch("SELECT version FROM catalogue_version")
        return rows[0][0] if rows else None

    async def manifests_by_versions(self, versions: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the manifests of the given models that are registered, by version."""
        sql = "SELECT version, manifest FROM models WHERE version = ANY($1)"
        return {version: json.loads(manifest) for version, manifest in await self._fetch(sql, list(versions))}


def _needs_genres(song_filter: SongFilter, order: SongOrder) -> bool:
    """Return whether only the indexes that start with a genre hold the songs of all genres in this order."""
    is_of_all = song_filter.genre is None and song_filter.batch_id is None
    return is_of_all and (order is not SongOrder.TITLE or song_filter.confident is False)


class _Conditions:
    """A WHERE clause and its arguments."""

    def __init__(self, song_filter: SongFilter) -> None:
        self.arguments: list[object] = []
        self._conditions: list[str] = []
        title = song_filter.title_contains
        for condition, value in (
            ("genre = {}", song_filter.genre),
            ("title_folded LIKE {}", None if title is None else f"%{_escaped(fold(title))}%"),
            ("batch_id = {}", song_filter.batch_id),
            ("model_version = {}", song_filter.model_version),
            ("confidence >= {}", song_filter.min_confidence),
            ("confidence <= {}", song_filter.max_confidence),
        ):
            if value is not None:
                self.add(condition, value)
        if song_filter.confident is not None:
            # Literally as in the partial indexes; a prepared plan could not use them with a parameter.
            self.add("confident" if song_filter.confident else "NOT confident")
        if song_filter.verified is not None:
            self.add("verified_genre IS NOT NULL" if song_filter.verified else "verified_genre IS NULL")

    def add(self, condition: str, *arguments: object) -> None:
        """Add a condition, with `{}` as the placeholder for each argument."""
        first = len(self.arguments) + 1
        self._conditions.append(condition.format(*(f"${first + n}" for n in range(len(arguments)))))
        self.arguments += arguments

    def __str__(self) -> str:
        return f"WHERE {' AND '.join(self._conditions)}" if self._conditions else ""


def _escaped(text: str) -> str:
    """Return a text with LIKE wildcards escaped."""
    return re.sub(r"[\\%_]", r"\\\g<0>", text)


def _song_key(cursor: str, order: SongOrder) -> list[Any]:
    def parse_order(text: str) -> None:
        if (its_order := SongOrder(text)) is not order:
            problem = f"is a cursor for orderBy: {its_order}, not {order}; use one order for all pages"
            raise InvalidCursorError(cursor, problem)

    key = str if order is SongOrder.TITLE else partial(_number, float, 1)
    return decode_cursor(cursor, parse_order, key, partial(_number, int, MAX_TRACK_ID))[1:]


def _number(kind: Callable[[str], float], maximum: int, text: str) -> float:
    number = kind(text)
    if not 0 <= number <= maximum:  # also true for NaN
        raise ValueError(text)
    return number
