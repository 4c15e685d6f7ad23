"""Background batches while the database rejects writes, simulated by raising its errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import ExecuteSql, StartService
from tests.support.client import ApiClient
from tests.support.metrics import scrape
from tests.support.songs import song_csv, song_rows
from tests.support.waiting import eventually, finished

BATCH = "query ($id: ID!) { batch(id: $id) { status waitingReason error rowsProcessed rowsClassified } }"

Refuse = Callable[[str, int], None]


@pytest.fixture
def refuse(execute_sql: ExecuteSql) -> Refuse:
    """Make the database refuse this many songs with an error; -1 for all until changed.

    A sequence counts, as it counts on when the transaction is rolled back.
    """
    execute_sql("""
        CREATE TABLE refusal (code text, times bigint);
        CREATE SEQUENCE refusals;
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE wanted refusal;
        BEGIN
            SELECT * INTO wanted FROM refusal;
            IF FOUND AND (wanted.times < 0 OR nextval('refusals') <= wanted.times) THEN
                RAISE EXCEPTION 'refused' USING ERRCODE = wanted.code;
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON batch_result_parts FOR EACH ROW EXECUTE FUNCTION refuse()
    """)
    return lambda code, times: execute_sql(
        f"DELETE FROM refusal; INSERT INTO refusal SELECT '{code}', {times} WHERE {times} <> 0"  # noqa: S608
    )


def batch_of(api: ApiClient, batch_id: str) -> dict[str, Any]:
    return dict(api.execute(BATCH, id=batch_id)["batch"])


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("53100", "The database's disk is full."),
        ("25006", "The database is read-only."),
        ("57P03", "The database cannot be reached."),
    ],
)
def test_a_waiting_batch_gives_the_reason_and_continues(
    api: ApiClient, refuse: Refuse, code: str, reason: str
) -> None:
    # given
    refuse(code, -1)
    queued = api.classify(song_csv(song_rows(5)), background=True)
    # when
    eventually(lambda: batch_of(api, queued["id"])["status"] == "WAITING", "the batch waits")
    # then
    assert batch_of(api, queued["id"]) == {
        "status": "WAITING",
        "waitingReason": reason,
        "error": None,
        "rowsProcessed": 0,
        "rowsClassified": 0,
    }
    eventually(lambda: scrape(api)["genregraph_queued_batches", frozenset()] == 1, "the metrics count it")
    # and when the database is writable again
    refuse(code, 0)
    batch = finished(api, queued["id"], BATCH)
    assert (batch["status"], batch["waitingReason"], batch["rowsClassified"]) == ("SUCCEEDED", None, 5)


def test_waiting_does_not_count_as_an_attempt(
    api: ApiClient, refuse: Refuse, execute_sql: ExecuteSql
) -> None:
    # given a batch after two failed attempts
    refuse("53100", -1)
    queued = api.classify(song_csv(song_rows(5)), background=True)
    eventually(lambda: batch_of(api, queued["id"])["status"] == "WAITING", "the batch waits")
    execute_sql("UPDATE batch_uploads SET attempts = 2")
    # when it waits once more
    execute_sql("ALTER SEQUENCE refusals RESTART")
    refuse("53100", 1)
    # then
    assert finished(api, queued["id"])["status"] == "SUCCEEDED"


def test_a_waiting_batch_can_be_cancelled(api: ApiClient, refuse: Refuse) -> None:
    refuse("53100", -1)
    queued = api.classify(song_csv(song_rows(5)), background=True)
    eventually(lambda: batch_of(api, queued["id"])["status"] == "WAITING", "the batch waits")

    cancel = "mutation ($id: ID!) { cancelBatch(id: $id) { status waitingReason } }"

    assert api.execute(cancel, id=queued["id"])["cancelBatch"] == {
        "status": "CANCELLED",
        "waitingReason": None,
    }


def test_followers_see_that_a_batch_waits(api: ApiClient, refuse: Refuse) -> None:
    # given
    refuse("53100", -1)
    queued = api.classify(song_csv(song_rows(5)), background=True)
    query = "subscription ($id: ID!) { batchProgress(id: $id) { status waitingReason } }"
    request = {"query": query, "variables": {"id": queued["id"]}}
    # when
    events = []
    headers = {"accept": "text/event-stream"}
    with api.http.stream("POST", "/graphql", json=request, headers=headers) as response:
        for line in response.iter_lines():
            events.append(line)
            if "WAITING" in line:
                refuse("53100", 0)
    # then
    text = "".join(events)
    assert "The database's disk is full." in text
    assert '"SUCCEEDED"' in text


def test_deadlocks_are_retried_a_limited_number_of_times(start_service: StartService, refuse: Refuse) -> None:
    # given
    api = start_service()
    refuse("40P01", 2)
    # then it survives two in a row
    queued = api.classify(song_csv(song_rows(5)), background=True)
    assert finished(api, queued["id"])["status"] == "SUCCEEDED"
    # and it fails after three
    refuse("40P01", -1)
    queued = api.classify(song_csv(song_rows(6)), background=True)
    batch = finished(api, queued["id"])
    assert batch["status"] == "FAILED"
    assert batch["error"].startswith("Processing failed 3 times in a row")
