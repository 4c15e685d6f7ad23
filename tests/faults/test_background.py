"""Background batches whose database, worker or service is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from app.batches.claims import MAX_ATTEMPTS
from tests.faults.conftest import Programs
from tests.support.invariants import batch_of, check, uuid_of
from tests.support.postgres import Database, Gate, Postgres
from tests.support.processes import Service
from tests.support.songs import song_file
from tests.support.waiting import eventually, finished

pytestmark = pytest.mark.slow

SONGS = range(1, 6_001)
"""Three chunks."""


def held_in_third_chunk(service: Service, database: Database) -> tuple[dict[str, Any], Gate]:
    """Send a batch, and wait until two of its chunks are staged and the third is blocked."""
    gate = database.close_gate("batch_result_parts", "NEW.first_ordinal = 4000")
    queued = service.api.classify(song_file(SONGS), background=True)
    gate.wait_for_arrival()
    eventually(lambda: batch_of(service.api, queued["id"])["rowsProcessed"] >= 4_000, "two chunks are staged")
    return queued, gate


@contextmanager
def followed(service: Service, batch_id: str) -> Iterator[Iterator[str]]:
    """Follow a batch; yields the lines of the event stream."""
    request = {
        "query": "subscription ($id: ID!) { batchProgress(id: $id) { status } }",
        "variables": {"id": batch_id},
    }
    headers = {"accept": "text/event-stream"}
    with service.api.http.stream("POST", "/graphql", json=request, headers=headers) as response:
        yield response.iter_lines()


def drift_of(service: Service, batch_id: str) -> Any:
    query = "query ($id: ID!) { batch(id: $id) { drift { group songsOutside } } }"
    return service.api.execute(query, id=batch_id)["batch"]["drift"]


def all_stored(batch: dict[str, Any]) -> dict[int, set[str]]:
    return {track_id: {uuid_of(batch)} for track_id in SONGS}


def test_a_batch_and_its_followers_survive_a_restart_of_the_database(
    programs: Programs, database: Database, postgres: Postgres
) -> None:
    # given a batch with a follower
    service = programs.serve(workers=1)
    queued, gate = held_in_third_chunk(service, database)
    with followed(service, queued["id"]) as events:
        next(line for line in events if "RUNNING" in line)
        # when
        postgres.kill()
        away = service.api.post("{ genres { name } }")
        upload = service.api.upload(song_file(range(10)))
        postgres.start()
        gate.open()
        # then
        assert "SUCCEEDED" in "".join(events)
    for response in (away, upload):
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")
        assert response.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    batch = finished(service.api, queued["id"])
    assert (batch["status"], batch["rowsClassified"], batch["rowsDuplicated"]) == ("SUCCEEDED", 6_000, 0)
    check(service.api, database, all_stored(queued))


def test_a_batch_survives_the_loss_of_all_connections(programs: Programs, database: Database) -> None:
    # given
    service = programs.serve(workers=1)
    queued, gate = held_in_third_chunk(service, database)
    # when
    database.cut_connections()
    gate.open()
    # then
    assert finished(service.api, queued["id"])["status"] == "SUCCEEDED"
    check(service.api, database, all_stored(queued))


def test_outages_do_not_count_as_attempts(programs: Programs, database: Database) -> None:
    # given
    service = programs.serve(workers=1)
    queued, gate = held_in_third_chunk(service, database)
    # when the connections are cut more often than a batch may fail
    for _ in range(MAX_ATTEMPTS + 1):
        gate.wait_for_arrival()
        database.cut_connections()
        eventually(lambda: batch_of(service.api, queued["id"])["status"] == "WAITING", "the batch waits")
    gate.open()
    # then
    batch = finished(service.api, queued["id"])
    assert (batch["status"], batch["rowsClassified"]) == ("SUCCEEDED", 6_000)
    check(service.api, database, all_stored(queued))


def test_a_batch_waits_while_the_database_is_read_only(
    programs: Programs, database: Database, postgres: Postgres
) -> None:
    # given
    service = programs.serve()
    worker = programs.work()
    queued, gate = held_in_third_chunk(service, database)
    # when it becomes read-only, and connections that have already written are cut
    with postgres.setting("default_transaction_read_only", "on"):
        database.cut_connections()
        eventually(lambda: worker.log.count("ReadOnlySQLTransactionError") > MAX_ATTEMPTS, "it tried often")
        assert service.api.upload(song_file(range(10))).status_code == 503
    gate.open()
    # then
    batch = finished(service.api, queued["id"])
    assert (batch["status"], batch["rowsClassified"]) == ("SUCCEEDED", 6_000)
    check(service.api, database, all_stored(queued))


def test_another_worker_resumes_the_batch_of_a_killed_worker(programs: Programs, database: Database) -> None:
    # given
    service = programs.serve()
    worker = programs.work()
    queued, gate = held_in_third_chunk(service, database)
    # when
    worker.kill()
    gate.open()
    programs.work()
    # then it resumes after the staged songs
    eventually(
        lambda: (
            database.value(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'genregraph worker'"
            )
            > 0
        ),
        "the other worker is there",
    )
    seen = []
    while (batch := batch_of(service.api, queued["id"]))["status"] in ("QUEUED", "RUNNING"):
        seen.append(batch["rowsProcessed"])
    assert min(seen, default=4_000) >= 4_000
    assert (batch["status"], batch["rowsClassified"], batch["rowsDuplicated"]) == ("SUCCEEDED", 6_000, 0)
    check(service.api, database, all_stored(queued))
    # and it counts each song's drift once, as in an undisturbed batch
    in_one_go = service.api.classify(song_file(SONGS))
    assert drift_of(service, queued["id"]) == drift_of(service, in_one_go["id"])
    assert any(group["songsOutside"] for group in drift_of(service, queued["id"]))


def test_another_worker_resumes_the_reclassification_of_a_killed_worker(
    programs: Programs, database: Database
) -> None:
    # given songs of another model, and a worker that is reclassifying them
    service = programs.serve(GENREGRAPH_CLIENTS="test:test:admin")
    service.api.classify(song_file(SONGS))
    database.execute("UPDATE songs SET model_version = 'old', predicted_genre = 'pop'")
    worker = programs.work()
    gate = database.close_gate("batch_result_parts", "NEW.first_ordinal = 4000")
    queued = service.api.execute("mutation { reclassifySongs(all: true) { id } }")["reclassifySongs"]
    gate.wait_for_arrival()
    # when
    worker.kill()
    gate.open()
    programs.work()
    # then
    batch = finished(service.api, queued["id"])
    assert (batch["status"], batch["rowsProcessed"], batch["rowsClassified"]) == ("SUCCEEDED", 6_000, 6_000)
    check(service.api, database, all_stored(queued))
    assert service.api.execute('{ songs(modelVersion: "old") { totalCount } }')["songs"]["totalCount"] == 0


def test_a_suspended_worker_loses_its_batch_and_does_no_harm(programs: Programs, database: Database) -> None:
    # given a suspended worker, which sends no heartbeats
    service = programs.serve()
    slow = programs.work()
    queued, gate = held_in_third_chunk(service, database)
    slow.send_signal(signal.SIGSTOP)
    gate.open()
    # when another worker has finished its batch, and it resumes
    programs.work()
    assert finished(service.api, queued["id"])["status"] == "SUCCEEDED"
    slow.send_signal(signal.SIGCONT)
    # then both process later batches
    more = [service.api.classify(song_file([n]), background=True) for n in range(7_001, 7_004)]
    for batch in more:
        assert finished(service.api, batch["id"])["status"] == "SUCCEEDED"
    songs = all_stored(queued) | {n: {uuid_of(b)} for n, b in zip(range(7_001, 7_004), more, strict=True)}
    check(service.api, database, songs)


def test_a_stopping_worker_hands_over_its_batch(programs: Programs, database: Database) -> None:
    # given
    service = programs.serve()
    worker = programs.work()
    queued, gate = held_in_third_chunk(service, database)
    # when
    worker.send_signal(signal.SIGTERM)
    gate.open()
    # then
    assert worker.end() == 0
    programs.work()
    assert finished(service.api, queued["id"])["status"] == "SUCCEEDED"
    check(service.api, database, all_stored(queued))


def test_a_stopping_service_hands_over_its_batch_and_ends_its_streams(
    programs: Programs, database: Database
) -> None:
    # given a service with its own worker, and a follower of the batch
    service, other = programs.serve(workers=1), programs.serve()
    queued, gate = held_in_third_chunk(service, database)
    with followed(service, queued["id"]) as events:
        next(line for line in events if "RUNNING" in line)
        # when
        service.send_signal(signal.SIGTERM)
        gate.open()
        # then
        assert "SUCCEEDED" not in "".join(events)
    assert service.end() == 0
    programs.work()
    assert finished(other.api, queued["id"])["status"] == "SUCCEEDED"
    check(other.api, database, all_stored(queued))


@pytest.mark.parametrize("held_at", ["before the commit", "after the commit"])
def test_a_retry_after_a_killed_service_joins_the_batch(
    programs: Programs, database: Database, held_at: str
) -> None:
    # given
    service, other = programs.serve(), programs.serve()
    file = song_file(range(1, 501))
    if held_at == "before the commit":
        gate = database.close_gate("batch_upload_parts", "true")
        service.api.http.timeout = httpx.Timeout(1)
        with pytest.raises(httpx.ReadTimeout):
            service.api.classify(file, background=True)
        gate.wait_for_arrival()
        service.kill()
        gate.open()
    else:
        service.api.classify(file, background=True)  # a response that did not reach the script
        service.kill()
    # when the script sends the file again
    again = other.api.classify(file, background=True)
    programs.work()
    # then
    assert finished(other.api, again["id"])["rowsClassified"] == 500
    assert other.api.execute("{ batches { totalCount } }")["batches"]["totalCount"] == 1
    check(other.api, database, {n: {uuid_of(again)} for n in range(1, 501)})


def kill_the_process_at_the_first_chunk() -> None:
    """Make opening a stored file kill this process, as a file that exhausts memory would."""
    from app.batches import worker

    worker.open_stored = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment, attr-defined]


def test_a_batch_fails_after_killing_three_workers(programs: Programs, database: Database) -> None:
    # given
    service = programs.serve()
    queued = service.api.classify(song_file(range(1, 11)), background=True)
    # when, instead of a file that crashes its worker, the fault is injected
    for _ in range(3):
        worker = programs.work(kill_the_process_at_the_first_chunk)
        assert worker.end() == -signal.SIGKILL
    programs.work()
    # then
    batch = finished(service.api, queued["id"])
    assert batch["status"] == "FAILED"
    assert "crashed 3 times in a row" in batch["error"]
    check(service.api, database, {})
    # and the next batch is processed
    more = service.api.classify(song_file([1]), background=True)
    assert finished(service.api, more["id"])["status"] == "SUCCEEDED"


def fail_at_the_first_chunk() -> None:
    """Make opening a stored file fail."""
    from app.batches import worker

    def broken(*_: object) -> None:
        raise ValueError("no such thing")

    worker.open_stored = broken  # type: ignore[assignment, attr-defined]


def test_a_batch_fails_after_three_failed_attempts(programs: Programs, database: Database) -> None:
    service = programs.serve()
    queued = service.api.classify(song_file(range(1, 11)), background=True)
    # when
    programs.work(fail_at_the_first_chunk)
    # then
    batch = finished(service.api, queued["id"])
    assert batch["status"] == "FAILED"
    assert "Ask the operators to check the log" in batch["error"]
    assert "no such thing" not in batch["error"]
    check(service.api, database, {})
