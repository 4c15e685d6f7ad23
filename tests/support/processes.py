"""`genregraph serve` and `genregraph worker` as processes that can be killed.

They are forked from a process with all imports, which take seconds, because these tests start them often.
Otherwise they are like the commands: separate processes with settings from the environment, which end with
an exit code or by a signal.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import httpx

from tests.support.client import ApiClient
from tests.support.waiting import eventually

EXIT_SECONDS = 60.0

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["tests.support.processes", "app.cli.root", "app.cli.serving", "app.http.servers"]
)


class Program:
    """A running command."""

    def __init__(
        self,
        arguments: list[str],
        environment: dict[str, str],
        log: Path,
        before: Callable[[], None] | None = None,
    ) -> None:
        """Start the program.

        Args:
            arguments: the arguments of `genregraph`.
            environment: variables added to those of this process.
            log: the file for its standard error.
            before: called first in the process, to inject a fault.
        """
        self.log_path = log
        self._process: ForkServerProcess = _CONTEXT.Process(
            target=_run, args=(arguments, {**os.environ, **environment}, log, before)
        )
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.is_alive()

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self._process.kill()
        self._process.join()

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def end(self, seconds: float = EXIT_SECONDS) -> int:
        """Wait until it ends, and return its exit code."""
        self._process.join(seconds)
        code = self._process.exitcode
        assert code is not None, f"it did not end within {seconds:.0f} s:\n{self.log}"
        return code


class Service(Program):
    """A running `genregraph serve`."""

    def __init__(self, port: int, *arguments: Any) -> None:
        self.url = f"http://127.0.0.1:{port}"
        super().__init__(["serve", "--port", str(port)], *arguments)
        self.api = ApiClient(self.url)

    def wait_until_ready(self) -> None:
        eventually(self._is_ready, "the service is ready")

    def _is_ready(self) -> bool:
        assert self.is_running, self.log
        return httpx.get(f"{self.url}/healthcheck", timeout=60).status_code == 200


class WorkerProgram(Program):
    """A running `genregraph worker`."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(["worker"], *arguments)


def _run(
    arguments: list[str], environment: dict[str, str], log: Path, before: Callable[[], None] | None
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    if before is not None:
        before()
    from app.cli.root import cli

    cli(arguments)
