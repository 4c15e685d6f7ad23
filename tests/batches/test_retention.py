"""What is deleted after a retention period, and what is kept."""

from __future__ import annotations

from tests.conftest import ExecuteSql, StartService
from tests.support.client import ApiClient
from tests.support.databases import rows
from tests.support.songs import song_csv, song_row
from tests.support.waiting import eventually

BATCH_TABLES = ("batches", "batch_problems", "batch_result_parts")
FILE = song_csv([song_row(), song_row(trackID="2", tempo="x")])


def counts(database_url: str) -> list[int]:
    return [len(rows(database_url, f"SELECT FROM {table}")) for table in BATCH_TABLES]


def upload(api: ApiClient, execute_sql: ExecuteSql, days_ago: int) -> str:
    """Store a batch that ended so many days ago, with a problem and results."""
    batch: str = api.classify(FILE, onInvalidRow="SKIP_ROW")["id"]
    execute_sql(
        f"UPDATE batches SET finished_at = finished_at - interval '{days_ago} days' "  # noqa: S608
        "WHERE finished_at > now() - interval '1 hour'"
    )
    return batch


def test_finished_batches_are_deleted_after_the_retention_period(
    start_service: StartService, execute_sql: ExecuteSql, database_url: str
) -> None:
    # given an old batch, a younger one and an unfinished one
    api = start_service(worker_concurrency=0)
    upload(api, execute_sql, days_ago=31)
    younger = upload(api, execute_sql, days_ago=29)
    unfinished = api.classify(song_csv([song_row(tempo="3")]), background=True)["id"]
    execute_sql("UPDATE batches SET created_at = now() - interval '40 days' WHERE status = 'QUEUED'")
    assert counts(database_url) == [3, 2, 2]
    # when
    start_service(batch_retention_days=30)
    # then
    eventually(lambda: counts(database_url)[0] == 2, "the old batch is forgotten")
    found = api.execute("{ batches { nodes { id } } songs { nodes { trackId } } }")
    assert {batch["id"] for batch in found["batches"]["nodes"]} == {younger, unfinished}
    assert [song["trackId"] for song in found["songs"]["nodes"]] == ["1"]
    assert counts(database_url)[1] == 1


def test_batches_are_kept_forever_by_default(
    start_service: StartService, execute_sql: ExecuteSql, database_url: str
) -> None:
    # given expired results, which a worker deletes in the same run
    upload(start_service(worker_concurrency=0), execute_sql, days_ago=3_650)
    execute_sql("UPDATE batches SET results_until = now() - interval '1 second'")
    # when
    start_service()
    # then
    eventually(lambda: counts(database_url)[2] == 0, "the results are removed")
    assert counts(database_url) == [1, 1, 0]
