"""`genregraph worker` as a process: metrics, probe and startup errors."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import ExecuteSql, StartService
from tests.support.metrics import samples_of, value
from tests.support.programs import GENREGRAPH, ROOT
from tests.support.songs import song_csv, song_rows
from tests.support.waiting import eventually, finished


@pytest.fixture
def worker(database_url: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*GENREGRAPH, "worker", "--metrics-port", "0"],
        cwd=ROOT,
        env={**os.environ, "GENREGRAPH_DATABASE_URL": database_url, "GENREGRAPH_LOG_FORMAT": "json"},
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.terminate()
    process.communicate(timeout=60)


def test_a_worker_counts_its_work(worker: subprocess.Popen[str], start_service: StartService) -> None:
    # given
    assert worker.stderr is not None
    url = json.loads(next(line for line in worker.stderr if '"metrics"' in line))["url"]
    api = start_service(worker_concurrency=0)
    # when
    batch = api.classify(song_csv(song_rows(5)), background=True)
    finished(api, batch["id"])
    # then
    samples = samples_of(httpx.get(url).text)
    assert value(samples, "song_confidence_count") == 5
    assert value(samples, "batches_ended_total", status="SUCCEEDED") == 1
    # and its metrics from the database are current
    assert value(samples, "database_up") == 1
    assert value(samples, "workers") == 1
    assert value(samples, "queued_batches") == 0
    (labels,) = [dict(pairs) for name, pairs in samples if name == "genregraph_build_info"]
    assert labels["command"] == "worker"
    assert api.http.get("/healthcheck").json()["worker"] == "running"


def test_a_worker_reports_a_lost_database(worker: subprocess.Popen[str], execute_sql: ExecuteSql) -> None:
    # given
    assert worker.stderr is not None
    url = json.loads(next(line for line in worker.stderr if '"metrics"' in line))["url"]
    eventually(lambda: value(samples_of(httpx.get(url).text), "database_up") == 1, "it knows its database")
    # when
    execute_sql("DROP TABLE batch_upload_parts, batch_uploads")
    # then
    eventually(lambda: value(samples_of(httpx.get(url).text), "database_up") == 0, "it says so")


def test_the_liveness_probe_fails_if_the_event_loop_is_stuck(worker: subprocess.Popen[str]) -> None:
    # given
    assert worker.stderr is not None
    url = json.loads(next(line for line in worker.stderr if '"metrics"' in line))["url"]
    probe = url.replace("/metrics", "/livez")
    eventually(lambda: httpx.get(probe).json() == {"status": "alive"}, "it lives")
    # when
    worker.send_signal(signal.SIGSTOP)
    # then
    try:
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(probe, timeout=0.5)
    finally:
        worker.send_signal(signal.SIGCONT)
    assert httpx.get(probe).status_code == 200


def test_a_port_in_use_ends_the_worker_with_one_line(database_url: str) -> None:
    # given
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        # when
        ended = subprocess.run(
            [*GENREGRAPH, "worker", "--metrics-port", str(port)],
            cwd=ROOT,
            env={**os.environ, "GENREGRAPH_DATABASE_URL": database_url},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    # then
    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in ended.stderr
    assert "Traceback" not in ended.stderr
