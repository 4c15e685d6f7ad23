"""`genregraph serve --processes`."""

from __future__ import annotations

import os
import re
import signal
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from app.cli.processes import Place, Processes
from tests.faults.conftest import Programs
from tests.support.client import ApiClient
from tests.support.processes import Service
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

PROCESSES = 3


def children(service: Service) -> set[int]:
    return {child.pid for child in psutil.Process(service.pid).children()}


def queries(service: Service) -> float:
    """Return the number of completed queries, as counted by all processes."""
    text = httpx.get(f"{service.url}/metrics", headers={"client-id": "test", "client-secret": "test"}).text
    counted = re.search(r'^genregraph_operations_total\{field="genres".*\} (\S+)$', text, re.MULTILINE)
    return float(counted[1]) if counted else 0.0


def ask(service: Service, times: int) -> None:
    def one(_: int) -> None:
        with ApiClient(service.url) as client:
            client.execute("{ genres { name } }")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(times)))


def test_processes_share_a_port_and_their_counts_and_are_replaced(programs: Programs) -> None:
    # given
    service = programs.serve(GENREGRAPH_PROCESSES=str(PROCESSES), workers=1)
    eventually(lambda: len(children(service)) == PROCESSES, "all are started")
    before = children(service)
    # when
    ask(service, 60)
    # then each has served some, and the counts are shared
    assert [queries(service) for _ in range(4)] == [60.0] * 4
    assert service.api.http.get("/healthcheck").json()["worker"] == "running"
    # and when one dies
    killed = max(before)
    os.kill(killed, signal.SIGKILL)
    # then it is replaced, no request fails, and no count decreases
    ask(service, 30)
    eventually(
        lambda: len(children(service)) == PROCESSES and killed not in children(service), "it is replaced"
    )
    assert queries(service) == 90.0
    # and when the service is stopped
    service.send_signal(signal.SIGTERM)
    # then all processes exit
    assert service.end() == 0
    assert not [pid for pid in before if psutil.pid_exists(pid)]


def test_processes_exit_with_their_parent(programs: Programs) -> None:
    service = programs.serve(GENREGRAPH_PROCESSES="2")
    eventually(lambda: len(children(service)) == 2, "both are started")
    pids = children(service)
    service.kill()
    eventually(lambda: not any(psutil.pid_exists(pid) for pid in pids), "they end")


def test_a_port_in_use_is_not_shared() -> None:
    def serve(_: Place) -> int:
        raise AssertionError

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            Processes(2, "127.0.0.1", taken.getsockname()[1], serve, stop_seconds=1)
