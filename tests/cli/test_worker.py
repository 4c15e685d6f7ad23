"""`genregraph worker` as a process: what it tells of itself."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import StartService
from tests.factories.songs import song_csv, song_rows
from tests.http.test_metrics import samples_of, value
from tests.waiting import finished


@pytest.fixture
def worker(database_url: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli.root", "worker", "--metrics-port", "0"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "GENREGRAPH_DATABASE_URL": database_url, "GENREGRAPH_LOG_FORMAT": "json"},
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.terminate()
    process.communicate(timeout=60)


def test_a_worker_counts_what_it_does(worker: subprocess.Popen[str], start_service: StartService) -> None:
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
    assert api.http.get("/healthcheck").json()["worker"] == "running"


def test_a_port_that_is_taken_ends_the_worker_with_a_line(database_url: str) -> None:
    # given
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        # when
        ended = subprocess.run(
            [sys.executable, "-m", "app.cli.root", "worker", "--metrics-port", str(port)],
            cwd=Path(__file__).parents[2],
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
