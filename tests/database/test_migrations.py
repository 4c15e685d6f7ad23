from __future__ import annotations

import asyncio
import io
import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries
from sqlalchemy import Connection, text

from app.database.migrate import alembic_config, current_revision, known_revisions, migrate
from app.database.tables import Table, is_ours
from tests.support.databases import look, tables

QUEUE = {"pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics"}


def test_the_migrated_schema_matches_the_code(database_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_ours})
        return list(compare_metadata(context, Table.metadata))

    assert look(database_url, differences) == []


def test_migrations_can_be_reverted_and_reapplied(empty_database_url: str) -> None:
    # given
    assert migrate(empty_database_url) == known_revisions()[0]
    expected = set(Table.metadata.tables) | QUEUE
    assert look(empty_database_url, tables) == expected
    # when
    assert migrate(empty_database_url, "base") is None
    assert look(empty_database_url, tables) == set()
    # then
    assert migrate(empty_database_url) == known_revisions()[0]
    assert look(empty_database_url, tables) == expected


def test_the_queue_tables_match_the_queue_library(database_url: str) -> None:
    async def plan() -> tuple[str, ...]:
        connection = await asyncpg.connect(database_url)
        try:
            planned = await Queries(AsyncpgDriver(connection)).plan_upgrade()
        finally:
            await connection.close()
        return tuple(planned.statements)

    assert asyncio.run(plan()) == ()


def test_migrating_again_changes_nothing(database_url: str) -> None:
    assert migrate(database_url) == known_revisions()[0]


def test_replicas_that_start_together_migrate_once(empty_database_url: str) -> None:
    with ThreadPoolExecutor(4) as replicas:
        reached = list(replicas.map(lambda _: migrate(empty_database_url), range(4)))
    assert reached == [known_revisions()[0]] * 4
    assert look(empty_database_url, tables) == set(Table.metadata.tables) | QUEUE


def test_a_database_migrated_by_a_newer_release_stays_unchanged(database_url: str) -> None:
    # given
    look(database_url, lambda c: c.execute(text("UPDATE alembic_version SET version_num = 'of_the_future'")))
    # when
    assert migrate(database_url) == "of_the_future"
    # then
    assert look(database_url, current_revision) == "of_the_future"


BATCH_ID = uuid.UUID(int=1)

STORE_SONGS = """
    INSERT INTO songs (track_id, title, title_folded, predicted_genre, confidence, confident, probabilities,
                       model_version, batch_id, classified_at)
    SELECT n, 'a' || n, 'a' || n, CASE WHEN n < 3 THEN 'folk' ELSE 'metal' END, 0.5, {confident}, '{{1}}',
           'v', CAST('{batch_id}' AS uuid), now()
    FROM generate_series(1, {songs}) AS n
"""


def store(database_url: str, songs: int, *, confident: str) -> None:
    """Store songs, of which the first two are folk."""
    execute(database_url, STORE_SONGS.format(songs=songs, batch_id=BATCH_ID, confident=confident))


def execute(database_url: str, statement: str) -> None:
    look(database_url, lambda c: c.execute(text(statement)))


def counts(database_url: str) -> dict[str, tuple[int, int]]:
    """Return the number of songs by genre, and how many of them are uncertain."""
    query = text("SELECT genre, song_count, uncertain_count FROM genre_counts ORDER BY genre")
    rows = look(database_url, lambda c: c.execute(query).all())
    return {genre: (songs, uncertain) for genre, songs, uncertain in rows}


def test_the_counts_follow_every_change_of_songs(database_url: str) -> None:
    store(database_url, 6, confident="n % 2 = 0")
    assert counts(database_url) == {"folk": (2, 1), "metal": (4, 2)}
    # one song becomes certain, and an uncertain song of another genre changes its genre
    execute(database_url, "UPDATE songs SET confident = true WHERE track_id = 1")
    assert counts(database_url) == {"folk": (2, 0), "metal": (4, 2)}
    execute(database_url, "UPDATE songs SET predicted_genre = 'folk' WHERE track_id = 3")
    assert counts(database_url) == {"folk": (3, 1), "metal": (3, 1)}
    # one song changes back: the sum of changes is zero in one count but not in the other
    execute(database_url, "UPDATE songs SET confident = NOT confident WHERE track_id IN (2, 3)")
    assert counts(database_url) == {"folk": (3, 1), "metal": (3, 1)}
    execute(database_url, "DELETE FROM songs WHERE track_id IN (2, 4)")
    assert counts(database_url) == {"folk": (2, 0), "metal": (2, 1)}
    execute(database_url, "TRUNCATE songs")
    assert counts(database_url) == {}


def test_the_counts_follow_the_verified_genre(database_url: str) -> None:
    store(database_url, 6, confident="true")
    # when
    execute(database_url, "UPDATE songs SET verified_genre = 'punk' WHERE track_id IN (1, 3)")
    assert counts(database_url) == {"folk": (1, 0), "metal": (3, 0), "punk": (2, 0)}
    # and it stays when the song is classified again
    execute(database_url, "UPDATE songs SET predicted_genre = 'pop' WHERE track_id IN (1, 2)")
    assert counts(database_url) == {"folk": (0, 0), "metal": (3, 0), "pop": (1, 0), "punk": (2, 0)}
    # and without it, the song has the predicted genre again
    execute(database_url, "UPDATE songs SET verified_genre = NULL")
    assert counts(database_url) == {"folk": (0, 0), "metal": (4, 0), "pop": (2, 0), "punk": (0, 0)}


def test_features_are_deleted_with_their_songs(database_url: str) -> None:
    # given
    store(database_url, 3, confident="true")
    execute(database_url, "INSERT INTO song_features SELECT track_id, ''::bytea, 'love' FROM songs")
    left = text("SELECT track_id FROM song_features ORDER BY track_id")
    # when
    execute(database_url, "DELETE FROM songs WHERE track_id = 2")
    # then
    assert look(database_url, lambda c: c.execute(left).scalars().all()) == [1, 3]
    execute(database_url, "TRUNCATE songs")
    assert look(database_url, lambda c: c.execute(left).scalars().all()) == []


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("genre = 'metal'", "ix_songs_uncertain_genre_title_track_id"),
        (f"batch_id = '{BATCH_ID}'", "ix_songs_uncertain_batch_id_title_track_id"),
    ],
)
def test_a_page_of_uncertain_songs_is_read_in_order_from_their_index(
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


BASELINE = "2026_11_25_baseline"

TAKES_AWAY = re.compile(
    r"""\b(?:
        DROP\s+(?:TABLE|COLUMN|FUNCTION|TYPE|VIEW) | TRUNCATE | RENAME
        | ALTER\s+COLUMN\s+\S+\s+(?:TYPE|SET\s+DATA\s+TYPE|SET\s+NOT\s+NULL|DROP\s+DEFAULT)
        | ADD\s+COLUMN\s+(?![^;]*\bDEFAULT\b)[^;]*\bNOT\s+NULL
    )""",
    re.IGNORECASE | re.VERBOSE,
)
"""Statements that break the previous release, which still runs while a migration is applied."""


def test_no_migration_removes_what_the_previous_release_uses() -> None:
    # given the statements of all migrations since the first release
    script = io.StringIO()
    config = alembic_config()
    config.output_buffer = script
    # when
    command.upgrade(config, f"{BASELINE}:head", sql=True)
    # then
    assert TAKES_AWAY.findall(script.getvalue()) == []


@pytest.mark.parametrize(
    ("statement", "takes_away"),
    [
        ("ALTER TABLE songs ADD COLUMN mood TEXT;", False),
        ("ALTER TABLE songs ADD COLUMN mood TEXT DEFAULT 'calm' NOT NULL;", False),
        ("CREATE INDEX ix ON songs (mood);", False),
        ("DROP INDEX ix_songs_title_track_id;", False),
        ("ALTER TABLE songs ADD COLUMN mood TEXT NOT NULL;", True),
        ("ALTER TABLE songs DROP COLUMN title;", True),
        ("ALTER TABLE songs RENAME title TO name;", True),
        ("ALTER TABLE songs ALTER COLUMN title TYPE VARCHAR(10);", True),
        ("ALTER TABLE batches ALTER COLUMN file_name SET NOT NULL;", True),
        ("DROP TABLE models;", True),
    ],
)
def test_statements_that_break_the_previous_release_are_recognized(statement: str, takes_away: bool) -> None:
    assert bool(TAKES_AWAY.search(statement)) is takes_away
