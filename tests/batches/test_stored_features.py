from __future__ import annotations

import asyncio

import asyncpg

from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_rows


def versions(database_url: str) -> dict[int, int]:
    """Return the transaction that wrote each song's features, by track ID."""

    async def fetch() -> dict[int, int]:
        connection = await asyncpg.connect(database_url)
        try:
            return dict(await connection.fetch("SELECT track_id, xmin::text::bigint FROM song_features"))
        finally:
            await connection.close()

    return asyncio.run(fetch())


def test_features_are_written_again_only_if_they_change(api: ApiClient, database_url: str) -> None:
    # given
    same, other_tags, other_numbers = song_rows(3)
    api.classify(song_csv([same, other_tags, other_numbers]))
    before = versions(database_url)
    # when
    other_tags |= {"tags": "rain"}
    other_numbers |= {"tempo": "90.5"}
    api.classify(song_csv([same, other_tags, other_numbers]))
    # then
    after = versions(database_url)
    assert before.keys() == after.keys()
    assert [track_id for track_id in before if before[track_id] == after[track_id]] == [int(same["trackID"])]
