"""Serve one port from several processes: start them, restart those that die, and stop them together."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.context import ForkProcess
from typing import Final, cast

import structlog

LOOK_SECONDS: Final = 0.05
STEADY_SECONDS: Final = 10.0
"""A process that ran for this long is restarted immediately; otherwise the pause doubles each time."""

FIRST_PAUSE_SECONDS: Final = 0.5
MAX_PAUSE_SECONDS: Final = 30.0
BACKLOG: Final = 2048

log = structlog.get_logger(__name__)


@dataclass
class Place:
    """What a process needs.

    Attributes:
        number: of the process, from 0.
        sockets: the sockets to listen on.
        lifeline: a descriptor that reaches end of file when the parent ends.
        ready: reports to the parent that the process serves.
    """

    number: int
    sockets: list[socket.socket]
    lifeline: int
    ready: Callable[[], None]


@dataclass
class _Child:
    number: int
    sockets: list[socket.socket]
    process: ForkProcess | None = None
    started: float = 0.0
    pause: float = 0.0
    due: float = 0.0


class Processes:
    """Runs a function in several processes until a signal arrives.

    Each has its own listening socket on the same port; Linux distributes connections among them. The parent
    keeps all sockets open, so that connections wait while a process is restarted.
    """

    def __init__(
        self, count: int, host: str, port: int, serve: Callable[[Place], int], *, stop_seconds: float
    ) -> None:
        """Listen without serving, on a free port if it is 0.

        `serve` serves in a process until a signal arrives, and returns the exit code. It is killed if it then
        takes more than `stop_seconds`.

        Raises:
            OSError: the port is not available.
        """
        self._fork = multiprocessing.get_context("fork")
        self._serve = serve
        self._stop_seconds = stop_seconds
        self._signals: list[int] = []
        self._lifeline, self._life = os.pipe()
        self._children = [_Child(n, sockets) for n, sockets in enumerate(_listeners(count, host, port))]

    def run(self) -> int:
        """Serve until a signal arrives; return 0, or the first process's exit code if it cannot start."""
        previous = {
            number: signal.signal(number, lambda received, _: self._signals.append(received))
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            ready, report = self._fork.Pipe(duplex=False)
            first, *others = self._children
            process = self._start(first, partial(report.send, None))
            while not (self._signals or ready.poll(LOOK_SECONDS)):
                if not process.is_alive():
                    return process.exitcode or 1
            for child in others:
                self._start(child)
            while not self._signals:
                self._look_after_children()
                time.sleep(LOOK_SECONDS)
            return 0
        finally:
            self._stop()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _start(self, child: _Child, ready: Callable[[], None] = lambda: None) -> ForkProcess:
        child.started = time.monotonic()
        child.process = self._fork.Process(target=self._run_child, args=(child, ready))
        child.process.start()
        return child.process

    def _run_child(self, child: _Child, ready: Callable[[], None]) -> None:
        os.close(self._life)
        # Ctrl-C in a terminal goes to the parent, which forwards it.
        os.setpgid(0, 0)
        for other in self._children:
            for listener in other.sockets if other is not child else ():
                listener.close()
        sys.exit(self._serve(Place(child.number, child.sockets, self._lifeline, ready)))

    def _look_after_children(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if child.process is None:
                if now >= child.due:
                    self._start(child)
            elif not child.process.is_alive():
                steady = now - child.started > STEADY_SECONDS
                pause = min(max(FIRST_PAUSE_SECONDS, 2 * child.pause), MAX_PAUSE_SECONDS)
                child.pause = 0.0 if steady else pause
                child.due = now + child.pause
                log.error(
                    "a process has died and is restarted",
                    pid=child.process.pid,
                    exit_code=child.process.exitcode,
                    pause_seconds=child.pause,
                )
                child.process = None

    def _stop(self) -> None:
        """Close the listeners, and forward signals until all processes have finished their requests."""
        for child in self._children:
            for listener in child.sockets:
                listener.close()
        deadline = time.monotonic() + self._stop_seconds
        forwarded = 0
        if not self._signals:
            self._signals.append(signal.SIGTERM)
        processes = [child.process for child in self._children if child.process is not None]
        while running := [process for process in processes if process.is_alive()]:
            numbers = self._signals[forwarded:]
            forwarded += len(numbers)
            if time.monotonic() > deadline:
                numbers = [signal.SIGKILL]
            for process in running:
                for number in numbers:
                    os.kill(cast("int", process.pid), number)
            time.sleep(LOOK_SECONDS)
        os.close(self._life)
        os.close(self._lifeline)


def _listeners(count: int, host: str, port: int) -> list[list[socket.socket]]:
    """Return the sockets of each process, one per address of the host."""
    by_address = []
    places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, place in dict.fromkeys((place[0], place[4]) for place in places):
        with socket.create_server((place[0], port, *place[2:]), family=family) as probe:
            port = probe.getsockname()[1]  # fails if another program listens there
        shared = sys.platform == "linux"
        listen = partial(
            socket.create_server,
            (place[0], port, *place[2:]),
            family=family,
            backlog=BACKLOG,
            reuse_port=shared,
        )
        first = listen()
        by_address.append([first, *(listen() if shared else first.dup() for _ in range(count - 1))])
    return [list(sockets) for sockets in zip(*by_address, strict=True)]
