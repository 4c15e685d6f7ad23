"""Writes songs of one genre, and compares the responses of services with the stored songs."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import asyncpg
import httpx

GENRES: Final = ("metal", "punk")

QUERY: Final = """query ($genre: String!) {
  genres { name songCount }
  songs(genre: $genre, first: 1000) { totalCount nodes { trackId title genre { songCount } } }
}"""

STORE: Final = """
    INSERT INTO songs (track_id, title, title_folded, predicted_genre, confidence, probabilities,
                       model_version, batch_id, classified_at)
    SELECT n, 'old', 'old', $1, 0.5, ARRAY[0.5, 0.5], 'v', $2, now() FROM unnest($3::bigint[]) AS n
"""
RETITLE: Final = "UPDATE songs SET title = $1, title_folded = $1 WHERE track_id = $2"
REMOVE: Final = "DELETE FROM songs WHERE track_id = ANY($1::bigint[])"

Step = tuple[Literal["store", "retitle", "remove"], int, bool, float]
"""The action, the number of songs, whether to commit, and the seconds before that."""


@dataclass
class Writer:
    """The only writer of a genre, which therefore knows the correct response to every query about it."""

    genre: int
    connection: asyncpg.Connection
    services: list[httpx.AsyncClient]
    titles: dict[int, str] = field(default_factory=dict)
    stored: int = 0

    async def take(self, step: Step) -> None:
        """Take a step in a transaction, with queries before its end and after it."""
        kind, songs, commits, seconds = step
        transaction = self.connection.transaction()
        await transaction.start()
        after = await getattr(self, f"_{kind}")(songs)
        await self.check()
        await asyncio.sleep(seconds)
        if commits:
            await transaction.commit()
            self.titles = after
        else:
            await transaction.rollback()
        await self.check()

    async def check(self) -> None:
        """Query all services twice concurrently, since answers are cached from the second request."""
        answers = await asyncio.gather(*(ask(service, self.genre) for service in self.services * 2))
        expected = sorted((title, track_id) for track_id, title in self.titles.items())
        for answer in answers:
            counts = {genre["name"]: genre["songCount"] for genre in answer["genres"]}
            songs = answer["songs"]
            nodes = [(song["title"], int(song["trackId"])) for song in songs["nodes"]]
            assert nodes == expected
            assert songs["totalCount"] == counts.get(GENRES[self.genre], 0) == len(expected)
            assert all(song["genre"]["songCount"] == len(expected) for song in songs["nodes"])

    async def _store(self, songs: int) -> dict[int, str]:
        new = [2 * (self.stored + number) + self.genre for number in range(songs)]
        self.stored += songs
        await self.connection.execute(STORE, GENRES[self.genre], uuid.uuid4(), new)
        return self.titles | dict.fromkeys(new, "old")

    async def _retitle(self, songs: int) -> dict[int, str]:
        changed = {track_id: uuid.uuid4().hex for track_id in sorted(self.titles)[:songs]}
        for track_id, title in changed.items():
            await self.connection.execute(RETITLE, title, track_id)
        return self.titles | changed

    async def _remove(self, songs: int) -> dict[int, str]:
        removed = sorted(self.titles)[:songs]
        await self.connection.execute(REMOVE, removed)
        return {track_id: title for track_id, title in self.titles.items() if track_id not in removed}


async def ask(service: httpx.AsyncClient, genre: int) -> dict[str, Any]:
    """Return a service's response about a genre."""
    request = {"query": QUERY, "variables": {"genre": GENRES[genre]}}
    body = (await service.post("/graphql", json=request)).json()
    assert "errors" not in body, body
    return dict(body["data"])


async def _write(database_url: str, urls: Sequence[str], genre: int, steps: Sequence[Step]) -> None:
    headers = {"client-id": "test", "client-secret": "test"}
    services = [httpx.AsyncClient(base_url=url, headers=headers, timeout=60) for url in urls]
    connection = await asyncpg.connect(database_url)
    await connection.execute(REMOVE, [*range(genre, 10_000, 2)])
    try:
        writer = Writer(genre, connection, services)
        for step in steps:
            await writer.take(step)
    finally:
        await connection.close()
        for service in services:
            await service.aclose()


def write(database_url: str, urls: Sequence[str], genre: int, steps: Sequence[Step]) -> None:
    """Take steps in a separate process.

    Raises:
        AssertionError: a response differs from the songs stored at that time.
    """
    asyncio.run(_write(database_url, urls, genre, steps))
