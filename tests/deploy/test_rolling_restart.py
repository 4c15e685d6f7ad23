"""Replicas behind the shipped proxy, restarted one after another under traffic: no request may fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.client import ApiClient
from tests.support.ports import free_port
from tests.support.proxy import nginx
from tests.support.replica import CLIENTS, Process, Replica, replica, started
from tests.support.songs import song_csv, song_rows
from tests.support.traffic import Traffic
from tests.support.waiting import finished

pytestmark = pytest.mark.slow

ADDRESSES = ("127.0.0.2", "127.0.0.3")

CLASSIFIED = "query ($id: ID!) { batch(id: $id) { status rowsClassified } }"


@pytest.fixture
def port() -> int:
    return free_port("0.0.0.0")  # noqa: S104 - free on all addresses of this machine


@pytest.fixture
def replicas(database_url: str, port: int) -> tuple[Replica, ...]:
    given = {"worker_concurrency": "0", "max_sync_rows": "1000", "shutdown_delay_seconds": "1"}
    return tuple(replica(database_url, address, port, **given) for address in ADDRESSES)


@pytest.fixture
def worker(database_url: str) -> Process:
    return Process(["worker"], {"GENREGRAPH_DATABASE_URL": database_url, "GENREGRAPH_CLIENTS": CLIENTS})


def test_no_request_fails_during_a_rolling_restart(
    replicas: tuple[Replica, ...], worker: Process, port: int, folder: Path
) -> None:
    with started(*replicas, worker), nginx(folder, ADDRESSES, port) as url, Traffic((url, url)) as traffic:
        # given
        traffic.wait_for("upload", 5)
        traffic.wait_for("slow upload", 1)
        with ApiClient(url) as api:
            queued = api.classify(song_csv(song_rows(20_000)))
        assert queued["status"] == "QUEUED"
        # when
        for process in (*replicas, worker):
            code, errors = process.stop()
            assert (code, "Traceback" in errors) == (0, False), errors
            process.start()
            if isinstance(process, Replica):
                process.wait_until_ready()
            traffic.wait_for("upload", 5)
            traffic.wait_for("slow upload", 1)
        # then the background batch also ends
        with ApiClient(url) as api:
            batch = finished(api, queued["id"], CLASSIFIED)
        assert batch == {"status": "SUCCEEDED", "rowsClassified": 20_000}
    print(f"requests: {dict(traffic.done)}, failed: {len(traffic.failures)}")  # noqa: T201 - shown by pytest -s
    assert traffic.failures == []
