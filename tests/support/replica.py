"""Processes of genregraph, started as in a deployment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import httpx

from tests.support.ports import free_port
from tests.support.programs import GENREGRAPH, ROOT
from tests.support.waiting import eventually

CLIENTS = "test:test"


def inherited() -> dict[str, str]:
    """Return this process's environment without settings of genregraph."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GENREGRAPH_")}


@dataclass
class Process:
    """A `genregraph` command with its arguments and environment, which can be stopped and restarted."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    command: Sequence[str] = GENREGRAPH
    folder: Path = ROOT
    running: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _log: IO[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        if self._log is None:
            # A file, not a pipe: nobody reads it while the process runs.
            self._log = TemporaryFile()  # noqa: SIM115 - closed with the process
        self.running = subprocess.Popen(
            [*self.command, *self.arguments],
            cwd=self.folder,
            env={**inherited(), **self.environment},
            stderr=self._log,
        )

    def end(self, seconds: float = 60) -> tuple[int, str]:
        """Wait for the process, and return its exit code and its standard error."""
        assert self.running is not None
        code = self.running.wait(timeout=seconds)
        return code, self.stderr()

    def stderr(self) -> str:
        """Its standard error so far."""
        assert self._log is not None
        # Without seeking: the process and this file object share one position.
        return os.pread(self._log.fileno(), os.fstat(self._log.fileno()).st_size, 0).decode()

    def stop(self) -> tuple[int, str]:
        assert self.running is not None
        self.running.send_signal(signal.SIGTERM)
        return self.end()

    def run_to_end(self) -> tuple[int, str]:
        """Run a process that ends by itself, and return its exit code and its standard error."""
        self.start()
        try:
            return self.end()
        finally:
            self.kill()

    def kill(self) -> None:
        if self.running is not None:
            self.running.kill()
            self.running.wait()
        if self._log is not None:
            sys.stderr.write(self.stderr())  # pytest shows it if the test fails
            self._log.close()


@dataclass
class Replica(Process):
    """`genregraph serve` on its own address."""

    host: str = "127.0.0.1"
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def wait_until_ready(self) -> None:
        eventually(self._is_ready, f"{self.url} is ready")

    def _is_ready(self) -> bool:
        assert self.running is not None
        assert self.running.poll() is None, self.stderr()
        return httpx.get(f"{self.url}/healthcheck").status_code == 200


def replica(database_url: str, host: str = "127.0.0.1", port: int | None = None, **settings: str) -> Replica:
    """Return a replica on a database, which will run in `folder`."""
    folder = Path(settings.pop("folder", ROOT))
    port = port or free_port(host)
    values = {"host": host, "port": str(port), "database_url": database_url, "clients": CLIENTS, **settings}
    environment = {f"GENREGRAPH_{name.upper()}": value for name, value in values.items()}
    return Replica(["serve"], environment, folder=folder, host=host, port=port)


@contextmanager
def started(*processes: Process) -> Iterator[None]:
    """Run processes in this context, in which replicas are ready."""
    try:
        for process in processes:
            process.start()
        for process in processes:
            if isinstance(process, Replica):
                process.wait_until_ready()
        yield
    finally:
        for process in processes:
            process.kill()
