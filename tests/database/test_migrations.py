from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.database.engine import asyncpg_url
from app.database.migrate import current_revision, head_revision, migrate
from app.database.tables import Table

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


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def test_the_migrated_schema_is_the_one_that_the_code_describes(database_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Table.metadata))

    assert look(database_url, differences) == []


def test_up_down_and_up_again(empty_database_url: str) -> None:
    # given
    assert migrate(empty_database_url) == head_revision()
    expected = set(Table.metadata.tables)
    assert look(empty_database_url, tables) == expected
    # when
    assert migrate(empty_database_url, "base") is None
    assert look(empty_database_url, tables) == set()
    # then
    assert migrate(empty_database_url) == head_revision()
    assert look(empty_database_url, tables) == expected


def test_migrating_again_changes_nothing(database_url: str) -> None:
    assert migrate(database_url) == head_revision()


def test_replicas_that_start_together_take_turns(empty_database_url: str) -> None:
    with ThreadPoolExecutor(4) as replicas:
        reached = list(replicas.map(lambda _: migrate(empty_database_url), range(4)))
    assert reached == [head_revision()] * 4
    assert look(empty_database_url, tables) == set(Table.metadata.tables)


def test_a_database_that_a_newer_release_has_migrated_is_left_alone(database_url: str) -> None:
    # given
    look(database_url, lambda c: c.execute(text("UPDATE alembic_version SET version_num = 'of_the_future'")))
    # when
    assert migrate(database_url) == "of_the_future"
    # then
    assert look(database_url, current_revision) == "of_the_future"


def test_deleted_songs_leave_the_counts(database_url: str) -> None:
    # given
    def store(connection: Connection) -> None:
        connection.execute(
            text("""
            INSERT INTO songs (track_id, title, title_folded, genre, confidence, probabilities,
                               model_version, batch_id, classified_at)
            SELECT n, 'a', 'a', CASE WHEN n < 3 THEN 'folk' ELSE 'metal' END, 1, '{1}', 'v',
                   gen_random_uuid(), now()
            FROM generate_series(1, 6) AS n
            """)
        )

    def counts(connection: Connection) -> dict[str, int]:
        rows = connection.execute(text("SELECT genre, song_count FROM genre_counts ORDER BY genre"))
        return {genre: count for genre, count in rows}  # noqa: C416  (rows)

    look(database_url, store)
    assert look(database_url, counts) == {"folk": 2, "metal": 4}
    # when
    look(database_url, lambda c: c.execute(text("DELETE FROM songs WHERE track_id IN (1, 5)")))
    # then
    assert look(database_url, counts) == {"folk": 1, "metal": 3}
    look(database_url, lambda c: c.execute(text("TRUNCATE songs")))
    assert look(database_url, counts) == {}
