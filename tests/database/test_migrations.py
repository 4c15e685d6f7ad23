from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.database.engine import asyncpg_url
from app.database.migrate import current_revision, head_revision, migrate
from app.database.tables import Table, is_ours

Answer = TypeVar("Answer")


def look(database_url: str, question: Callable[[Connection], Answer]) -> Answer:
    async def run() -> Answer:
        engine = create_async_engine(asyncpg_url(database_url), poolclass=NullPool)
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(question)
        finally:
            await engine.dispose()

    return asyncio.run(run())


QUEUE = {"pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics"}


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def test_the_migrated_schema_is_the_one_that_the_code_describes(database_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_ours})
        return list(compare_metadata(context, Table.metadata))

    assert look(database_url, differences) == []


def test_up_down_and_up_again(empty_database_url: str) -> None:
    # given
    assert migrate(empty_database_url) == head_revision()
    expected = set(Table.metadata.tables) | QUEUE
    assert look(empty_database_url, tables) == expected
    # when
    assert migrate(empty_database_url, "base") is None
    assert look(empty_database_url, tables) == set()
    # then
    assert migrate(empty_database_url) == head_revision()
    assert look(empty_database_url, tables) == expected


def test_the_queue_finds_the_tables_that_it_would_have_installed(database_url: str) -> None:
    async def plan() -> tuple[str, ...]:
        connection = await asyncpg.connect(database_url)
        try:
            planned = await Queries(AsyncpgDriver(connection)).plan_upgrade()
        finally:
            await connection.close()
        return tuple(planned.statements)

    assert asyncio.run(plan()) == ()


def test_migrating_again_changes_nothing(database_url: str) -> None:
    assert migrate(database_url) == head_revision()


def test_replicas_that_start_together_take_turns(empty_database_url: str) -> None:
    with ThreadPoolExecutor(4) as replicas:
        reached = list(replicas.map(lambda _: migrate(empty_database_url), range(4)))
    assert reached == [head_revision()] * 4
    assert look(empty_database_url, tables) == set(Table.metadata.tables) | QUEUE


def test_a_database_that_a_newer_release_has_migrated_is_left_alone(database_url: str) -> None:
    # given
    look(database_url, lambda c: c.execute(text("UPDATE alembic_version SET version_num = 'of_the_future'")))
    # when
    assert migrate(database_url) == "of_the_future"
    # then
    assert look(database_url, current_revision) == "of_the_future"


BATCH_ID = uuid.UUID(int=1)

STORE_SONGS = """
    INSERT INTO songs (track_id, title, title_folded, genre, confidence, {column} probabilities,
                       model_version, batch_id, classified_at)
    SELECT n, 'a' || n, 'a' || n, CASE WHEN n < 3 THEN 'folk' ELSE 'metal' END, 0.5, {value} '{{1}}', 'v',
           CAST('{batch_id}' AS uuid), now()
    FROM generate_series(1, {songs}) AS n
"""


def store(database_url: str, songs: int, *, confident: str | None = None) -> None:
    """Store songs, of which the first two are folk; without `confident` as the first release does."""
    given = (
        {"column": "", "value": ""}
        if confident is None
        else {"column": "confident,", "value": f"{confident},"}
    )
    look(database_url, lambda c: c.execute(text(STORE_SONGS.format(songs=songs, batch_id=BATCH_ID, **given))))


def execute(database_url: str, statement: str) -> None:
    look(database_url, lambda c: c.execute(text(statement)))


def counts(database_url: str) -> dict[str, tuple[int, int]]:
    """How many songs of each genre there are, and how many of them are uncertain."""
    query = text("SELECT genre, song_count, uncertain_count FROM genre_counts ORDER BY genre")
    rows = look(database_url, lambda c: c.execute(query).all())
    return {genre: (songs, uncertain) for genre, songs, uncertain in rows}


def test_the_counts_follow_every_change_of_songs(database_url: str) -> None:
    store(database_url, 6, confident="n % 2 = 0")
    assert counts(database_url) == {"folk": (2, 1), "metal": (4, 2)}
    # a song becomes certain, and another genre's uncertain one changes its genre
    execute(database_url, "UPDATE songs SET confident = true WHERE track_id = 1")
    assert counts(database_url) == {"folk": (2, 0), "metal": (4, 2)}
    execute(database_url, "UPDATE songs SET genre = 'folk' WHERE track_id = 3")
    assert counts(database_url) == {"folk": (3, 1), "metal": (3, 1)}
    # one goes the other way while one stays away: sums of zero in one count and not in the other
    execute(database_url, "UPDATE songs SET confident = NOT confident WHERE track_id IN (2, 3)")
    assert counts(database_url) == {"folk": (3, 1), "metal": (3, 1)}
    execute(database_url, "DELETE FROM songs WHERE track_id IN (2, 4)")
    assert counts(database_url) == {"folk": (2, 0), "metal": (2, 1)}
    execute(database_url, "TRUNCATE songs")
    assert counts(database_url) == {}


def test_songs_and_batches_of_the_release_before_are_confident(empty_database_url: str) -> None:
    # given songs and a batch that the release before has written
    migrate(empty_database_url)
    assert migrate(empty_database_url, "2026_11_23_songs") == "2026_11_23_songs"
    store(empty_database_url, 6)
    execute(empty_database_url, "INSERT INTO models VALUES ('v', '{}', now())")
    execute(
        empty_database_url,
        """INSERT INTO batches (id, client_id, status, rows_uploaded, rows_with_missing_values, rows_invalid,
                                rows_duplicated, rows_classified, problem_count, genre_counts, model_version,
                                created_at)
           VALUES (gen_random_uuid(), 'test', 'SUCCEEDED', 6, 0, 0, 0, 6, 0, '{}', 'v', now())""",
    )
    # when
    assert migrate(empty_database_url) == head_revision()
    # then
    songs = text("SELECT DISTINCT confident FROM songs")
    assert look(empty_database_url, lambda c: c.execute(songs).scalars().all()) == [True]
    batches = text("SELECT min_confidence, rows_uncertain FROM batches")
    assert look(empty_database_url, lambda c: tuple(c.execute(batches).one())) == (0, 0)
    assert counts(empty_database_url) == {"folk": (2, 0), "metal": (4, 0)}
    # and the release before, which may still run beside this one, goes on
    execute(empty_database_url, "DELETE FROM songs")
    store(empty_database_url, 3)
    assert look(empty_database_url, lambda c: c.execute(songs).scalars().all()) == [True]
    assert counts(empty_database_url) == {"folk": (2, 0), "metal": (1, 0)}


def test_the_counts_survive_the_way_back(database_url: str) -> None:
    store(database_url, 6, confident="n % 2 = 0")
    # when
    migrate(database_url, "2026_11_23_songs")
    execute(database_url, "DELETE FROM songs WHERE track_id = 1")
    # then
    query = text("SELECT genre, song_count FROM genre_counts ORDER BY genre")
    assert look(database_url, lambda c: [tuple(row) for row in c.execute(query)]) == [
        ("folk", 1),
        ("metal", 4),
    ]


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("true", "ix_songs_uncertain_title_track_id"),
        ("genre = 'metal'", "ix_songs_uncertain_genre_title_track_id"),
        (f"batch_id = '{BATCH_ID}'", "ix_songs_uncertain_batch_id_title_track_id"),
    ],
)
def test_a_page_of_uncertain_songs_comes_in_order_from_an_index_of_them(
    database_url: str, condition: str, index: str
) -> None:
    # given
    store(database_url, 5_000, confident="n % 5 <> 0")
    execute(database_url, "ANALYZE songs")
    query = "EXPLAIN SELECT * FROM songs WHERE NOT confident AND {} ORDER BY title, track_id LIMIT 51"
    # when
    plan = look(database_url, lambda c: c.execute(text(query.format(condition))).scalars().all())
    # then
    assert any(f"Index Scan using {index}" in line for line in plan), plan
    assert not any("Sort" in line for line in plan), plan
