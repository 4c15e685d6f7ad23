"""Requests that classify songs, and faults during them."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from tests.faults.conftest import Programs
from tests.support.invariants import check, uuid_of
from tests.support.postgres import Database, Gate, Postgres
from tests.support.processes import Service
from tests.support.songs import song_file
from tests.support.waiting import finished

pytestmark = pytest.mark.slow

SONGS = range(1, 501)


def held_before_the_last_song(
    service: Service, database: Database, pool: ThreadPoolExecutor
) -> tuple[Future[httpx.Response], Gate]:
    """Send songs in a request, and wait until it is about to store the last of them."""
    gate = database.close_gate("songs", "NEW.track_id = 500")
    answer = pool.submit(service.api.upload, song_file(SONGS))
    gate.wait_for_arrival()
    return answer, gate


def kill_and_restart(postgres: Postgres, database: Database) -> None:
    del database
    postgres.kill()
    postgres.start()


def cut_connections(postgres: Postgres, database: Database) -> None:
    del postgres
    database.cut_connections()


@pytest.mark.parametrize("fault", [kill_and_restart, cut_connections])
def test_a_request_fails_cleanly_if_the_database_goes_away(
    programs: Programs, database: Database, postgres: Postgres, fault: Callable[[Postgres, Database], None]
) -> None:
    # given
    service = programs.serve()
    with ThreadPoolExecutor(1) as pool:
        answer, gate = held_before_the_last_song(service, database, pool)
        # when
        fault(postgres, database)
        gate.open()
        # then
        response = answer.result()
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert [error["extensions"]["code"] for error in response.json()["errors"]] == ["UNAVAILABLE"]
    check(service.api, database, {})
    assert "Traceback" not in service.log
    # and a retry succeeds
    batch = service.api.classify(song_file(SONGS))
    check(service.api, database, {n: {uuid_of(batch)} for n in SONGS})


def test_a_stopping_service_completes_its_requests(programs: Programs, database: Database) -> None:
    # given
    service, other = programs.serve(), programs.serve()
    with ThreadPoolExecutor(1) as pool:
        answer, gate = held_before_the_last_song(service, database, pool)
        # when
        service.send_signal(signal.SIGTERM)
        gate.open()
        # then
        batch = answer.result().json()["data"]["classifyBatch"]
    assert (batch["status"], batch["rowsClassified"]) == ("SUCCEEDED", 500)
    assert service.end() == 0
    check(other.api, database, {n: {uuid_of(batch)} for n in SONGS})


def test_a_service_killed_during_a_request_stores_nothing(programs: Programs, database: Database) -> None:
    # given
    service, other = programs.serve(), programs.serve()
    with ThreadPoolExecutor(1) as pool:
        answer, gate = held_before_the_last_song(service, database, pool)
        # when
        service.kill()
        gate.open()
        # then
        with pytest.raises(httpx.RemoteProtocolError):
            answer.result()
    check(other.api, database, {})
    batch = other.api.classify(song_file(SONGS))
    check(other.api, database, {n: {uuid_of(batch)} for n in SONGS})


def test_twenty_overlapping_batches_do_not_deadlock(programs: Programs, database: Database) -> None:
    # given twenty overlapping files of 600 songs, every other one in reverse order
    service = programs.serve()
    for _ in range(2):
        programs.work(GENREGRAPH_WORKER_CONCURRENCY="2")
    starts = range(0, 20 * 60, 60)
    files = [list(range(start, start + 600))[:: -1 if start % 120 else 1] for start in starts]
    # when half of them are classified in requests and half in the background
    with ThreadPoolExecutor(20) as pool:
        sent = list(
            pool.map(
                lambda at: service.api.classify(song_file(files[at]), background=at % 4 > 1),
                range(len(files)),
            )
        )
    ended = [finished(service.api, batch["id"]) for batch in sent]
    # then
    assert [(batch["status"], batch["rowsClassified"]) for batch in ended] == [("SUCCEEDED", 600)] * 20
    holders: dict[int, set[str]] = {}
    for batch, songs in zip(sent, files, strict=True):
        for track_id in songs:
            holders.setdefault(track_id, set()).add(uuid_of(batch))
    check(service.api, database, holders)
    # and the last batch wins
    last = service.api.classify(song_file(range(300, 900)))
    check(service.api, database, holders | {n: {uuid_of(last)} for n in range(300, 900)})
