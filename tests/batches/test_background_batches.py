from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from app.batches import worker
from tests.conftest import ExecuteSql, StartService
from tests.support import waiting
from tests.support.batches import CANCEL, PROGRESS, followed
from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_row, song_rows

BATCH = """
query ($id: ID!) {
  batch(id: $id) {
    id status error rowsUploaded rowsProcessed rowsWithMissingValues rowsInvalid rowsDuplicated rowsClassified
    problemCount problems { line column value } startedAt finishedAt songs { nodes { trackId title } }
    genres { genre { name } songCount }
  }
}
"""


def finished(api: ApiClient, batch_id: str) -> dict[str, Any]:
    return waiting.finished(api, batch_id, BATCH)


def nothing_in(execute_sql: ExecuteSql, *tables: str) -> None:
    for table in tables:
        execute_sql(f"DO $$ BEGIN ASSERT NOT EXISTS (SELECT FROM {table}), '{table}'; END $$")


class TestQueueing:
    def test_a_background_batch_has_the_same_result_as_a_request(self, api: ApiClient) -> None:
        # given
        file = song_csv([*song_rows(30), song_row(trackID="7", title="Again"), song_row(tempo="")])
        in_request = api.classify(file)
        # when
        queued = api.classify(file, background=True)
        # then
        assert (queued["status"], queued["rowsUploaded"], queued["rowsClassified"]) == ("QUEUED", 32, 0)
        batch = finished(api, queued["id"])
        same = ("rowsUploaded", "rowsWithMissingValues", "rowsInvalid", "rowsDuplicated", "rowsClassified")
        assert {name: batch[name] for name in same} == {name: in_request[name] for name in same}
        assert batch["rowsProcessed"] == 32
        assert (batch["rowsDuplicated"], batch["rowsWithMissingValues"]) == (1, 1)
        assert {g["genre"]["name"]: g["songCount"] for g in batch["genres"]} == {
            g["genre"]["name"]: g["songCount"] for g in in_request["genres"]
        }
        titles = {song["trackId"]: song["title"] for song in batch["songs"]["nodes"]}
        assert len(titles) == 30
        assert titles["7"] == "Again"

    def test_a_file_too_long_for_a_request_is_queued(self, start_service: StartService) -> None:
        api = start_service(max_sync_rows=10)

        assert api.classify(song_csv(song_rows(10)))["status"] == "SUCCEEDED"
        queued = api.classify(song_csv(song_rows(11)))

        assert queued["status"] == "QUEUED"
        assert finished(api, queued["id"])["rowsClassified"] == 11

    def test_many_chunks_keep_their_order(self, api: ApiClient) -> None:
        # given a file of several chunks that has every song twice, the second time with another title
        rows = song_rows(2_600)
        again = [{**row, "title": f"second {row['trackID']}"} for row in rows]
        # when
        queued = api.classify(song_csv([*rows, *again]), background=True)
        # then
        batch = finished(api, queued["id"])
        assert (batch["rowsClassified"], batch["rowsDuplicated"]) == (2_600, 2_600)
        assert all(song["title"] == f"second {song['trackId']}" for song in batch["songs"]["nodes"])

    def test_a_file_that_is_not_a_song_file_is_refused_immediately(self, api: ApiClient) -> None:
        refused = api.classify(b"a,b\n1,2\n", background=True)

        assert refused["__typename"] == "InvalidSongFile"
        assert api.execute("{ batches { totalCount } }")["batches"]["totalCount"] == 0

    def test_an_invalid_row_fails_the_batch_and_is_reported(self, api: ApiClient) -> None:
        # given
        file = song_csv([*song_rows(5), song_row(trackID="99", tempo="asd")])
        # when
        queued = api.classify(file, background=True)
        batch = finished(api, queued["id"])
        # then
        assert batch["status"] == "FAILED"
        assert batch["error"] == (
            "The song file is invalid: Line 7, column tempo: expected a number from 0 to 1000 "
            "(beats per minute), found 'asd'."
        )
        assert batch["problems"] == [{"line": 7, "column": "tempo", "value": "asd"}]
        assert (batch["rowsClassified"], batch["rowsInvalid"]) == (0, 1)
        assert api.execute("{ genres { name } }")["genres"] == []

    def test_an_invalid_row_is_skipped_on_request(self, api: ApiClient) -> None:
        file = song_csv([*song_rows(5), song_row(trackID="99", tempo="asd")])

        queued = api.classify(file, background=True, onInvalidRow="SKIP_ROW")

        batch = finished(api, queued["id"])
        assert (batch["status"], batch["rowsClassified"], batch["rowsInvalid"]) == ("SUCCEEDED", 5, 1)
        assert batch["problems"] == [{"line": 7, "column": "tempo", "value": "asd"}]

    def test_the_file_is_not_kept_afterwards(self, api: ApiClient, execute_sql: ExecuteSql) -> None:
        finished(api, api.classify(song_csv(song_rows(5)), background=True)["id"])
        finished(api, api.classify(song_csv([song_row(tempo="asd")]), background=True)["id"])

        nothing_in(execute_sql, "batch_uploads", "batch_upload_parts")
        nothing_in(execute_sql, "(SELECT FROM batch_result_parts WHERE features IS NOT NULL) AS parts")


class TestJoining:
    def test_the_same_file_sent_again_joins_its_batch(self, start_service: StartService) -> None:
        # given a service without a worker, so that the first batch stays unfinished
        api = start_service(worker_concurrency=0)
        file = song_csv(song_rows(5))
        first = api.classify(file, background=True)
        # when
        again = api.classify(file, name="another-name.csv", background=True)
        # then
        assert again["id"] == first["id"]
        assert api.execute("{ batches { totalCount } }")["batches"]["totalCount"] == 1

    def test_another_client_or_request_is_another_batch(self, start_service: StartService) -> None:
        # given
        api = start_service(worker_concurrency=0)
        file = song_csv(song_rows(5))
        first = api.classify(file, background=True)["id"]
        # when
        with ApiClient(api.url, "nightly", "first") as nightly:
            others = {
                nightly.classify(file, background=True)["id"],
                api.classify(file, background=True, onInvalidRow="SKIP_ROW")["id"],
                api.classify(file, background=True, minConfidence=0.5)["id"],
                api.classify(song_csv(song_rows(6)), background=True)["id"],
            }
        # then
        assert len(others | {first}) == 5

    def test_a_finished_batch_is_not_joined(self, api: ApiClient) -> None:
        file = song_csv(song_rows(5))
        first = api.classify(file, background=True)["id"]
        finished(api, first)

        again = api.classify(file, background=True)["id"]

        assert again != first
        assert finished(api, again)["rowsClassified"] == 5


class TestFollowing:
    def test_progress_ends_with_the_batch(self, api: ApiClient) -> None:
        queued = api.classify(song_csv(song_rows(5_000)), background=True)

        events = followed(api, queued["id"])

        assert events[-1] == {"status": "SUCCEEDED", "rowsProcessed": 5_000, "rowsUploaded": 5_000}
        processed = [event["rowsProcessed"] for event in events]
        assert processed == sorted(processed)

    def test_a_finished_batch_is_reported_once(self, api: ApiClient) -> None:
        batch = api.classify(song_csv(song_rows(5)))

        assert followed(api, batch["id"]) == [{"status": "SUCCEEDED", "rowsProcessed": 5, "rowsUploaded": 5}]

    @pytest.mark.parametrize("unknown", ["nonsense", base64.b64encode(b"Batch:" + b"0" * 32).decode()])
    def test_an_unknown_batch_is_an_error(self, api: ApiClient, unknown: str) -> None:
        request = {"query": PROGRESS, "variables": {"id": unknown}}
        response = api.http.post("/graphql", json=request, headers={"accept": "text/event-stream"})

        assert response.status_code < 500
        assert '"errors"' in response.text
        assert "INTERNAL_SERVER_ERROR" not in response.text

    def test_following_requires_credentials(self, api: ApiClient) -> None:
        request = {"query": PROGRESS, "variables": {"id": "x"}}
        response = httpx.post(f"{api.url}/graphql", json=request, headers={"accept": "text/event-stream"})

        assert response.status_code == 401


class TestCancelling:
    def test_a_cancelled_batch_leaves_nothing(
        self, start_service: StartService, execute_sql: ExecuteSql
    ) -> None:
        # given
        api = start_service(worker_concurrency=0)
        queued = api.classify(song_csv(song_rows(5)), background=True)
        # when
        cancelled = api.execute(CANCEL, id=queued["id"])["cancelBatch"]
        # then
        assert (cancelled["status"], cancelled["rowsClassified"]) == ("CANCELLED", 0)
        assert cancelled["finishedAt"] is not None
        nothing_in(execute_sql, "batch_uploads", "batch_upload_parts")
        # and a worker that starts later ignores it and processes the next batch
        working = start_service()
        later = working.classify(song_csv(song_rows(6)), background=True)
        assert finished(working, later["id"])["status"] == "SUCCEEDED"
        assert finished(working, queued["id"])["status"] == "CANCELLED"

    def test_a_running_batch_stops(self, api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
        # given a batch of many chunks
        monkeypatch.setattr(worker, "CHUNK_ROWS", 20)
        queued = api.classify(song_csv(song_rows(3_000)), background=True)
        waiting.eventually(
            lambda: api.execute(BATCH, id=queued["id"])["batch"]["rowsProcessed"] > 0,
            "some rows are processed",
        )
        # when
        cancelled = api.execute(CANCEL, id=queued["id"])["cancelBatch"]
        # then
        assert cancelled["status"] == "CANCELLED"
        assert followed(api, queued["id"])[-1]["status"] == "CANCELLED"
        assert api.execute("{ genres { name } }")["genres"] == []

    def test_a_finished_batch_stays_as_it_is(self, api: ApiClient) -> None:
        batch = api.classify(song_csv(song_rows(5)))

        assert api.execute(CANCEL, id=batch["id"])["cancelBatch"]["status"] == "SUCCEEDED"

    def test_a_batch_of_another_client_cannot_be_cancelled(self, start_service: StartService) -> None:
        api = start_service(worker_concurrency=0)
        queued = api.classify(song_csv(song_rows(5)), background=True)

        with ApiClient(api.url, "nightly", "first") as nightly:
            (error,) = nightly.errors(CANCEL, id=queued["id"])

        assert error["message"] == "id: there is no such batch"
        assert error["extensions"]["code"] == "INVALID_ARGUMENT"


class TestWorkers:
    """Batches that other workers have left unfinished."""

    def test_a_batch_that_the_queue_has_lost_is_queued_again(
        self, start_service: StartService, execute_sql: ExecuteSql
    ) -> None:
        # given
        queued = start_service(worker_concurrency=0).classify(song_csv(song_rows(5)), background=True)
        execute_sql("DELETE FROM pgqueuer")
        # when
        api = start_service()
        # then
        assert finished(api, queued["id"])["rowsClassified"] == 5

    def test_a_batch_interrupted_three_times_fails(
        self, start_service: StartService, execute_sql: ExecuteSql
    ) -> None:
        # given
        file = song_csv(song_rows(5))
        queued = start_service(worker_concurrency=0).classify(file, background=True)
        execute_sql("UPDATE batch_uploads SET attempts = 3")
        # when
        api = start_service()
        batch = finished(api, queued["id"])
        # then
        assert batch["status"] == "FAILED"
        assert batch["error"].startswith("The worker crashed 3 times in a row at the same point.")
        # and the same file may be sent again
        again = api.classify(file, background=True)
        assert again["id"] != queued["id"]
        assert finished(api, again["id"])["status"] == "SUCCEEDED"

    def test_the_file_of_a_failed_batch_is_kept_for_the_retention_period(
        self, start_service: StartService, execute_sql: ExecuteSql
    ) -> None:
        # given a batch that failed a day ago
        queued = start_service(worker_concurrency=0).classify(song_csv(song_rows(5)), background=True)
        execute_sql("UPDATE batch_uploads SET attempts = 3")
        finished(start_service(), queued["id"])
        execute_sql("DO $$ BEGIN ASSERT EXISTS (SELECT FROM batch_upload_parts); END $$")
        execute_sql("UPDATE batches SET finished_at = now() - interval '24 hours 1 second'")
        # when
        start_service()
        # then
        waiting.eventually(
            lambda: nothing_in(execute_sql, "batch_uploads", "batch_upload_parts"), "the file is removed"
        )

    def test_songs_that_another_model_has_staged_are_classified_again(
        self, start_service: StartService, execute_sql: ExecuteSql
    ) -> None:
        # given a batch that a worker with another model had started
        queued = start_service(worker_concurrency=0).classify(song_csv(song_rows(5)), background=True)
        execute_sql("INSERT INTO models VALUES ('another-model', '{}', now())")
        execute_sql(
            "UPDATE batches SET model_version = 'another-model', status = 'RUNNING', rows_processed = 1"
        )
        execute_sql("UPDATE batch_uploads SET songs_staged = 1, state = '{}'")
        execute_sql("INSERT INTO batch_result_parts SELECT batch_id, 0, 'another' FROM batch_uploads")
        # when
        api = start_service()
        batch = finished(api, queued["id"])
        # then
        assert batch["rowsClassified"] == 5
        assert "99" not in {song["trackId"] for song in batch["songs"]["nodes"]}
