"""The metrics of a service at `/metrics`."""

from __future__ import annotations

import math
import threading
from collections import Counter

import httpx
import pytest

from app.settings import MetricsAccess
from tests.conftest import ExecuteSql, StartService
from tests.support.client import ApiClient
from tests.support.metrics import scrape, value
from tests.support.songs import song_csv, song_rows
from tests.support.waiting import eventually, finished
from tests.support.websocket import greeted, opened, receive, send


def test_operations_are_counted_by_field_and_outcome(api: ApiClient) -> None:
    # given one operation of each kind
    api.execute("{ genres { name } }")
    api.execute("{ a: genres { name } b: genres { name } }")
    api.execute("{ genres { name } songs { totalCount } }")
    api.execute("{ __schema { queryType { name } } }")
    api.post("{ songs(first: -1) { totalCount } }")
    api.post("{ nosuchfield }")
    api.post("{ genres {")
    api.upload(b"no,songs\n")
    # when
    samples = scrape(api)
    # then
    counted = Counter(
        {
            (labels["type"], labels["field"], labels["outcome"]): count
            for (name, pairs), count in samples.items()
            if name == "genregraph_operations_total"
            for labels in [dict(pairs)]
        }
    )
    assert counted == {
        ("query", "genres", "ok"): 2,
        ("query", "several", "ok"): 1,
        ("query", "introspection", "ok"): 1,
        ("query", "songs", "INVALID_ARGUMENT"): 1,
        ("invalid", "invalid", "GRAPHQL_VALIDATION_FAILED"): 1,
        ("invalid", "invalid", "GRAPHQL_PARSE_FAILED"): 1,
        ("mutation", "classifyBatch", "INVALID_SONG_FILE"): 1,
    }
    assert value(samples, "operation_duration_seconds_count", type="query", field="genres") == 2
    assert 0 < value(samples, "operation_duration_seconds_sum", type="query", field="genres") < 10


def test_responses_are_counted_by_route_and_status(api: ApiClient) -> None:
    # given
    api.execute("{ genres { name } }")
    httpx.get(f"{api.url}/graphql?query={{genres{{name}}}}")
    api.http.get("/batches/nosuch/songs.csv")
    api.http.get("/nosuch")
    # when
    samples = scrape(api)
    # then
    assert value(samples, "http_responses_total", route="/graphql", status="200") == 1
    assert value(samples, "http_responses_total", route="/graphql", status="401") == 1
    assert value(samples, "http_responses_total", route="/batches/{id}/songs.csv", status="404") == 1
    assert value(samples, "http_responses_total", route="other", status="404") == 1


def test_classified_songs_are_counted_by_genre_and_confidence(api: ApiClient) -> None:
    # given
    batch = api.classify(song_csv(song_rows(50)))
    # when
    samples = scrape(api)
    # then
    for genre in batch["genres"]:
        name = genre["genre"]["name"]
        assert value(samples, "songs_classified_total", genre=name) == genre["songCount"]
    confidences = [
        node["confidence"]
        for node in api.execute("{ songs(first: 50) { nodes { confidence } } }")["songs"]["nodes"]
    ]
    assert value(samples, "song_confidence_count") == 50
    assert value(samples, "song_confidence_sum") == pytest.approx(sum(confidences))
    for bound in (0.3, 0.5, 1.0):
        expected = sum(confidence <= bound for confidence in confidences)
        assert value(samples, "song_confidence_bucket", le=str(bound)) == expected


def test_the_counter_of_a_genre_starts_at_zero(api: ApiClient) -> None:
    samples = scrape(api)
    genres = {dict(pairs)["genre"] for name, pairs in samples if name == "genregraph_songs_classified_total"}
    assert genres == set(api.execute("{ model { genres } }")["model"]["genres"])
    assert value(samples, "songs_classified_total", genre=min(genres)) == 0


def test_songs_outside_the_training_range_are_counted_by_group(api: ApiClient) -> None:
    def counts() -> dict[str, float]:
        return {
            dict(pairs)["group"]: count
            for (name, pairs), count in scrape(api).items()
            if name == "genregraph_songs_outside_training_range_total"
        }

    # given
    rows = [row | {"tempo": "999"} for row in song_rows(5)]
    before = counts()
    # when
    batch = api.classify(song_csv(rows))
    # then
    assert before == {"METADATA": 0, "AUDIO": 0, "LYRICS": 0}
    query = "query ($id: ID!) { batch(id: $id) { drift { group songsOutside } } }"
    drift = api.execute(query, id=batch["id"])["batch"]["drift"]
    assert drift[0] == {"group": "METADATA", "songsOutside": 5}
    assert counts() == {group["group"]: group["songsOutside"] for group in drift}


def test_batches_are_counted_by_status(api: ApiClient) -> None:
    # given
    api.classify(song_csv(song_rows(3)))
    queued = api.classify(song_csv(song_rows(4)), background=True)
    finished(api, queued["id"])
    # when
    samples = scrape(api)
    # then
    assert value(samples, "batches_ended_total", status="SUCCEEDED") == 2
    assert value(samples, "batches_ended_total", status="FAILED") == 0
    assert value(samples, "batch_duration_seconds_count") == 2


def test_the_queue_metrics_show_length_and_age(start_service: StartService, execute_sql: ExecuteSql) -> None:
    # given no worker
    api = start_service(worker_concurrency=0)
    api.classify(song_csv(song_rows(3)), background=True)
    api.classify(song_csv(song_rows(4)), background=True)
    execute_sql("UPDATE batches SET created_at = created_at - interval '1 hour'")
    # when
    samples = scrape(api)
    # then
    assert value(samples, "queued_batches") == 2
    assert value(samples, "running_batches") == 0
    assert value(samples, "workers") == 0
    assert 3600 <= value(samples, "oldest_queued_batch_seconds") < 3660
    assert value(samples, "database_up") == 1


def test_the_metrics_show_model_version_release_and_pool(api: ApiClient) -> None:
    # given
    model = api.execute("{ model { version } }")["model"]["version"]
    # when
    samples = scrape(api)
    # then
    versions = [dict(pairs) for name, pairs in samples if name == "genregraph_build_info"]
    assert [labels["model_version"] for labels in versions] == [model]
    assert value(samples, "database_connections_max") == 20
    assert 0 <= value(samples, "database_connections_used") <= 20
    assert ("process_resident_memory_bytes", frozenset()) in samples


def test_a_followed_batch_is_an_open_subscription(start_service: StartService) -> None:
    # given
    api = start_service(worker_concurrency=0)
    batch = api.classify(song_csv(song_rows(3)), background=True)
    with opened(api) as socket:
        greeted(socket, {"client-id": "test", "client-secret": "test"})
        query = "subscription ($id: ID!) { batchProgress(id: $id) { status } }"
        send(socket, type="subscribe", id="1", payload={"query": query, "variables": {"id": batch["id"]}})
        assert receive(socket)["type"] == "next"
        # when
        during = scrape(api)
        send(socket, type="complete", id="1")
        api.execute("mutation ($id: ID!) { cancelBatch(id: $id) { status } }", id=batch["id"])
    # then
    assert value(during, "subscriptions_open") == 1
    eventually(lambda: value(scrape(api), "subscriptions_open") == 0, "the subscription is over")
    assert value(scrape(api), "batches_ended_total", status="CANCELLED") == 1


def test_the_other_metrics_are_available_without_the_database(
    start_service: StartService, execute_sql: ExecuteSql
) -> None:
    # given
    api = start_service(metrics=MetricsAccess.OPEN)
    execute_sql("DROP TABLE batch_upload_parts, batch_uploads")
    # when
    samples = scrape(api)
    # then
    assert value(samples, "database_up") == 0
    assert math.isnan(value(samples, "queued_batches"))
    assert value(samples, "songs_classified_total", genre="Rap") == 0


def test_metrics_accept_http_basic_credentials(api: ApiClient) -> None:
    url = f"{api.url}/metrics"
    assert httpx.get(url, auth=("test", "test")).status_code == 200
    refused = httpx.get(url, auth=("test", "wrong"))
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Basic realm="genregraph"')
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, headers={"authorization": "Basic ???"}).status_code == 401
    # Browsers would send it from pages of other sites.
    query = httpx.post(f"{api.url}/graphql", json={"query": "{ genres { name } }"}, auth=("test", "test"))
    assert query.status_code == 401


def test_metrics_can_be_open_or_off(start_service: StartService) -> None:
    # given
    open_to_all, off = start_service(metrics=MetricsAccess.OPEN), start_service(metrics=MetricsAccess.OFF)
    # then
    assert httpx.get(f"{open_to_all.url}/metrics").status_code == 200
    assert off.http.get("/metrics").status_code == 404


def test_concurrent_scrapes_query_the_database_once(
    start_service: StartService, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a machine of any speed, and no worker, which would also read uploads
    monkeypatch.setattr("app.batches.queue.KEPT_SECONDS", 60.0)
    api = start_service(metrics=MetricsAccess.OPEN, worker_concurrency=0)
    statements.clear()
    # when
    threads = [threading.Thread(target=lambda: httpx.get(f"{api.url}/metrics")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # then
    assert sum("FROM batch_uploads" in statement for statement in statements) == 1


def test_wrong_credentials_are_counted_by_address_over_the_limit(
    start_service: StartService,
) -> None:
    # given
    api = start_service(login_attempts_per_minute=3, max_uploads_per_client=1)
    wrong = {"client-id": "test", "client-secret": "guessed"}
    # when three are wrong, two over the limit; one without credentials does not count
    codes = [httpx.get(f"{api.url}/nosuch", headers=wrong).status_code for _ in range(5)]
    httpx.get(f"{api.url}/nosuch")
    # then
    assert codes == [401, 401, 401, 429, 429]
    with ApiClient(api.url, client_id="nightly", secret="first") as other:
        samples = scrape(other)
    assert value(samples, "wrong_credentials_total", address="other") == 3
    assert value(samples, "wrong_credentials_total", address="127.0.0.1") == 2


def test_pool_waits_spool_space_and_event_loop_lag_are_measured(api: ApiClient) -> None:
    # given
    api.execute("{ genres { name } }")
    api.classify(song_csv(song_rows(3)))
    # when
    eventually(
        lambda: value(scrape(api), "event_loop_lag_seconds_count") > 0,
        "the lag of the event loop is measured",
    )
    samples = scrape(api)
    # then
    for pool in ("reads", "others", "writes"):
        assert value(samples, "database_pool_wait_seconds_count", pool=pool) >= 1
    assert 0 < value(samples, "spool_free_bytes") <= value(samples, "spool_size_bytes")
    assert value(samples, "database_size_bytes") > 1_000_000
