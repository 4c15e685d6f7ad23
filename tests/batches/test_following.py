"""Many followers of batches."""

from __future__ import annotations

import time

from app.batches import following
from tests.conftest import ExecuteSql, StartService
from tests.support.batches import CANCEL, PROGRESS
from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_rows
from tests.support.websocket import CREDENTIALS, greeted, opened, receive, send

FOLLOWERS = 80


def test_all_followers_share_one_statement_per_second_and_fewer_while_queued(
    start_service: StartService, statements: list[str], execute_sql: ExecuteSql
) -> None:
    def polls_in(seconds: float) -> tuple[int, float]:
        """Return the number of polls, and the seconds that it was counted for."""
        statements.clear()
        start = time.monotonic()
        time.sleep(seconds)
        polls = sum("FROM batches WHERE batches.id IN" in statement for statement in statements)
        return polls, time.monotonic() - start

    # given queued batches, each with many followers
    api = start_service(worker_concurrency=0)
    batches = [api.classify(song_csv(song_rows(n)), background=True)["id"] for n in range(1, 5)]
    with opened(api) as connection:
        greeted(connection, CREDENTIALS)
        statements.clear()
        for number in range(FOLLOWERS):
            variables = {"id": batches[number % len(batches)]}
            payload = {"query": PROGRESS, "variables": variables}
            send(connection, type="subscribe", id=str(number), payload=payload)
        first = [receive(connection) for _ in range(FOLLOWERS)]
        # then each receives the state of its batch
        assert {message["id"] for message in first} == {str(number) for number in range(FOLLOWERS)}
        statuses = {message["payload"]["data"]["batchProgress"]["status"] for message in first}
        assert statuses == {"QUEUED"}
        time.sleep(2 * following.QUEUED_POLL_SECONDS)
        polls, seconds = polls_in(10 * following.QUEUED_POLL_SECONDS)
        assert polls <= seconds / following.QUEUED_POLL_SECONDS + 1
        # and when one of them runs
        execute_sql(
            "UPDATE batches SET status = 'RUNNING' WHERE created_at = (SELECT max(created_at) FROM batches)"
        )
        running = [receive(connection) for _ in range(FOLLOWERS // len(batches))]
        assert {message["payload"]["data"]["batchProgress"]["status"] for message in running} == {"RUNNING"}
        polls, seconds = polls_in(10 * following.POLL_SECONDS)
        assert polls <= seconds / following.POLL_SECONDS + 1
        # and when they end
        for batch in batches:
            api.execute(CANCEL, id=batch)
        messages = [receive(connection) for _ in range(2 * FOLLOWERS)]
    assert sum(message["type"] == "complete" for message in messages) == FOLLOWERS
    # then polling stops
    assert polls_in(5 * following.QUEUED_POLL_SECONDS)[0] == 0


def test_a_client_cannot_follow_a_batch_of_another_client(start_service: StartService) -> None:
    # given
    api = start_service(worker_concurrency=0)
    batch = api.classify(song_csv(song_rows(1)), background=True)["id"]
    request = {"query": PROGRESS, "variables": {"id": batch}}
    with opened(api) as connection, ApiClient(api.url, "nightly", "first") as nightly:
        greeted(connection, CREDENTIALS)
        send(connection, type="subscribe", id="1", payload=request)
        assert receive(connection)["type"] == "next"
        # when
        refused = nightly.http.post("/graphql", json=request, headers={"accept": "text/event-stream"})
    # then
    assert "id: there is no such batch" in refused.text
    assert "QUEUED" not in refused.text
