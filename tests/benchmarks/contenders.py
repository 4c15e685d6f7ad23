"""The services that answer the same queries from one database, and what a load on one of them shows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from tests.benchmarks.load import Load, post, run
from tests.benchmarks.service import answers, service
from tests.support.ports import free_port

CONNECTIONS: Final = 8
PEERS: Final = Path(__file__).parent / "peers"

FLOOR: Final = "floor"
SERVICE: Final = "genregraph"
UNCACHED: Final = f"{SERVICE}, uncached"
TOGETHER: Final = f"{UNCACHED}, 2 processes"
FLOOR_TOGETHER: Final = f"{FLOOR}, 2 processes"
PYTHON_PEERS: Final = {
    FLOOR: ("floor", 1),
    FLOOR_TOGETHER: ("floor", 2),
    "plain Strawberry": ("stock_strawberry", 1),
}
"""Modules and processes."""
NODE_PEERS: Final = {"mercurius with JIT (Node)": "mercurius.mjs", "graphql-yoga (Node)": "yoga.mjs"}
OURS: Final = {
    SERVICE: (1, {}),
    UNCACHED: (1, {"GENREGRAPH_ANSWER_CACHE_BYTES": "0"}),
    TOGETHER: (2, {"GENREGRAPH_ANSWER_CACHE_BYTES": "0"}),
}
"""Processes and settings."""

TIMES_ONE_PROCESS: Final = {TOGETHER: UNCACHED, FLOOR_TOGETHER: FLOOR}
"""By service with two processes: the same with one."""


@dataclass(frozen=True)
class Turn:
    """One load on one service.

    Attributes:
        load: what came of it.
        cpu: seconds of processor time that the service's processes took for an answer.
        others: the same of the client, PostgreSQL and all other processes of the benchmark.
    """

    load: Load
    cpu: float
    others: float


@dataclass(frozen=True)
class Server:
    """A service that runs."""

    name: str
    port: int
    pid: int

    def ask(self, body: bytes) -> Any:
        """Return the answer to one request."""
        headers = {"content-type": "application/json", "client-id": "test", "client-secret": "test"}
        url = f"http://127.0.0.1:{self.port}/graphql"
        return httpx.post(url, content=body, headers=headers).raise_for_status().json()

    def turn(self, body: bytes, seconds: float, connections: int = CONNECTIONS) -> Turn:
        """Put a load on it.

        Raises:
            RuntimeError: an answer failed, or none came.
        """
        before, all_before = _cpu_seconds(self.pid), _cpu_seconds(os.getpid())
        load = run(self.port, post(self.port, body), connections=connections, seconds=seconds)
        if load.failures or not load.latencies:
            raise RuntimeError(f"{self.name}: {load.failures} of {len(load.latencies)} answers failed")
        cpu = (_cpu_seconds(self.pid) - before) / len(load.latencies)
        return Turn(load, cpu, (_cpu_seconds(os.getpid()) - all_before) / len(load.latencies) - cpu)

    def memory(self) -> float:
        """Return how much memory its processes hold now, in MiB."""
        return sum(process.memory_info().rss for process in _family(self.pid)) / 2**20


def _family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _cpu_seconds(pid: int) -> float:
    return sum(times.user + times.system for times in (process.cpu_times() for process in _family(pid)))


@contextmanager
def peer(name: str, command: Iterable[str | Path], port: int, database_url: str) -> Iterator[Server]:
    """Run another service."""
    environment = {**os.environ, "DATABASE_URL": database_url, "PORT": str(port), "NODE_ENV": "production"}
    process = subprocess.Popen([*command], env=environment)
    try:
        while not answers(f"http://127.0.0.1:{port}/"):
            if process.poll() is not None:
                raise RuntimeError(f"{name} did not start")
            time.sleep(0.05)
        yield Server(name, port, process.pid)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def own(name: str, folder: Path, database_url: str) -> Iterator[Server]:
    """Run one of `OURS`."""
    processes, settings = OURS[name]
    options = ("--processes", str(processes))
    with service(folder, database_url, *options, settings=settings) as (url, pid):
        yield Server(name, int(url.rpartition(":")[2]), pid)


@contextmanager
def servers(folder: Path, database_url: str, names: Iterable[str]) -> Iterator[list[Server]]:
    """Run some services."""
    with ExitStack() as stack:
        yield [stack.enter_context(_server(name, folder, database_url)) for name in names]


def _server(name: str, folder: Path, database_url: str) -> AbstractContextManager[Server]:
    if name in OURS:
        return own(name, folder, database_url)
    port = free_port()
    if name in NODE_PEERS:
        return peer(name, ("node", PEERS / NODE_PEERS[name]), port, database_url)
    module, processes = PYTHON_PEERS[name]
    app = f"tests.benchmarks.peers.{module}:app"
    options = ("--port", str(port), "--workers", str(processes), "--log-level", "warning", "--no-access-log")
    return peer(name, (sys.executable, "-m", "uvicorn", app, *options), port, database_url)


def names_here() -> list[str]:
    """Return the names of the services that can run here; the floor's is the first."""
    names = [*PYTHON_PEERS, *OURS]
    if shutil.which("npm") is not None:
        names += NODE_PEERS
        if not (PEERS / "node_modules").is_dir():
            subprocess.run(["npm", "ci", "--silent", "--prefix", PEERS], check=True)
    return names
