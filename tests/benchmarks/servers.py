"""Servers that respond to the same queries from one database, under load."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tests.benchmarks.load import Load, post, run
from tests.benchmarks.service import cpu_seconds, process_tree, server, service
from tests.support.ports import free_port

CONNECTIONS: Final = 8
PEERS: Final = Path(__file__).parent / "peers"

FLOOR: Final = "floor"
FLOOR_2: Final = f"{FLOOR}, 2 processes"
SERVICE: Final = "genregraph"
UNCACHED: Final = f"{SERVICE}, uncached"
UNCACHED_2: Final = f"{UNCACHED}, 2 processes"

PYTHON_PEERS: Final = {
    FLOOR: ("floor", 1),
    FLOOR_2: ("floor", 2),
    "plain Strawberry": ("plain_strawberry", 1),
}
"""Modules and numbers of processes."""
NODE_PEERS: Final = {"mercurius with JIT (Node)": "mercurius.mjs", "graphql-yoga (Node)": "yoga.mjs"}
SERVICES: Final = {
    SERVICE: (1, {}),
    UNCACHED: (1, {"GENREGRAPH_ANSWER_CACHE_BYTES": "0"}),
    UNCACHED_2: (2, {"GENREGRAPH_ANSWER_CACHE_BYTES": "0"}),
}
"""Numbers of processes and settings."""

SINGLE_PROCESS: Final = {UNCACHED_2: UNCACHED, FLOOR_2: FLOOR}
"""For each server with two processes, the same with one."""


@dataclass(frozen=True)
class Round:
    """One load on one server.

    Attributes:
        load: its result.
        cpu: CPU seconds per response used by the server's processes.
        other_cpu: the same for the client, PostgreSQL and all other processes of the benchmark.
    """

    load: Load
    cpu: float
    other_cpu: float


@dataclass(frozen=True)
class Server:
    """A running server."""

    name: str
    port: int
    pid: int

    def send(self, body: bytes) -> Any:
        """Send one request, and return the response."""
        headers = {"content-type": "application/json", "client-id": "test", "client-secret": "test"}
        url = f"http://127.0.0.1:{self.port}/graphql"
        return httpx.post(url, content=body, headers=headers).raise_for_status().json()

    def measure(self, body: bytes, seconds: float, connections: int = CONNECTIONS) -> Round:
        """Put load on the server.

        Raises:
            RuntimeError: a request failed, or there were no responses.
        """
        cpu, total = cpu_seconds(self.pid), cpu_seconds(os.getpid())
        load = run(self.port, post(self.port, body), connections=connections, seconds=seconds)
        responses = len(load.latencies)
        if load.failures or not responses:
            raise RuntimeError(f"{self.name}: {load.failures} of {responses} requests failed")
        cpu, total = cpu_seconds(self.pid) - cpu, cpu_seconds(os.getpid()) - total
        return Round(load, cpu / responses, (total - cpu) / responses)

    def memory(self) -> float:
        """Return the current resident memory of its processes in MiB."""
        return sum(process.memory_info().rss for process in process_tree(self.pid)) / 2**20


def available_names() -> list[str]:
    """Return the names of the servers that can run here; installs the Node peers if npm is available."""
    names = [*PYTHON_PEERS, *SERVICES]
    if shutil.which("npm") is not None:
        names += NODE_PEERS
        if not (PEERS / "node_modules").is_dir():
            subprocess.run(["npm", "ci", "--silent", "--prefix", PEERS], check=True)
    return names


@contextmanager
def running_servers(database_url: str, names: Iterable[str]) -> Iterator[list[Server]]:
    """Run servers until the end of the context."""
    with ExitStack() as stack:
        yield [
            stack.enter_context((_service if name in SERVICES else _peer)(name, database_url))
            for name in names
        ]


@contextmanager
def _service(name: str, database_url: str) -> Iterator[Server]:
    processes, settings = SERVICES[name]
    started = service("--processes", str(processes), database_url=database_url, settings=settings)
    with started as (url, pid):
        yield Server(name, int(url.rpartition(":")[2]), pid)


@contextmanager
def _peer(name: str, database_url: str) -> Iterator[Server]:
    port = free_port()
    command: list[str | Path]
    if name in NODE_PEERS:
        command = ["node", PEERS / NODE_PEERS[name]]
    else:
        module, processes = PYTHON_PEERS[name]
        command = [sys.executable, "-m", "uvicorn", f"tests.benchmarks.peers.{module}:app"]
        command += ["--port", str(port), "--workers", str(processes), "--no-access-log"]
    environment = {"DATABASE_URL": database_url, "PORT": str(port), "NODE_ENV": "production"}
    with server(command, f"http://127.0.0.1:{port}/", environment) as pid:
        yield Server(name, port, pid)
