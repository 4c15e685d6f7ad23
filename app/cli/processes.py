"""Serve one port from several processes: start them, restart those that die, and stop them together."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

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
    pid: int = 0
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
        """Listen without serving.

        Args:
            count: the number of processes.
            host: an address or host name.
            port: 0 for a free port.
            serve: serves in a process until a signal arrives, and returns the exit code.
            stop_seconds: how long a process may take to stop before it is killed.

        Raises:
            OSError: the port is not available.
        """
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
            first, *others = self._children
            if (code := self._start_first(first)) is not None:
                return code
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

    def _start_first(self, child: _Child) -> int | None:
        """Start the first process and wait until it serves; return its exit code if it fails."""
        readable, writable = os.pipe()
        os.set_blocking(readable, False)
        self._start(child, writable)
        os.close(writable)
        try:
            while not self._signals:
                try:
                    if os.read(readable, 1):
                        return None
                except BlockingIOError:
                    time.sleep(LOOK_SECONDS)
                    continue
                _, status = os.waitpid(child.pid, 0)
                child.pid = 0
                return os.waitstatus_to_exitcode(status) or 1
            return 0
        finally:
            os.close(readable)

    def _start(self, child: _Child, ready: int | None = None) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        child.started = time.monotonic()
        child.pid = os.fork()
        if child.pid:
            return
        code = 1
        try:
            os.close(self._life)
            # Ctrl-C in a terminal goes to the parent, which forwards it.
            os.setpgid(0, 0)
            for other in self._children:
                for listener in other.sockets if other is not child else ():
                    listener.close()

            def report_ready() -> None:
                if ready is not None:
                    os.write(ready, b"1")
                    os.close(ready)

            code = self._serve(Place(child.number, child.sockets, self._lifeline, report_ready))
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # without the parent's cleanup

    def _look_after_children(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if not child.pid:
                if now >= child.due:
                    self._start(child)
                continue
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if not pid:
                continue
            steady = now - child.started > STEADY_SECONDS
            child.pause = 0.0 if steady else min(max(FIRST_PAUSE_SECONDS, 2 * child.pause), MAX_PAUSE_SECONDS)
            child.due = now + child.pause
            log.error(
                "a process has died and is restarted",
                pid=pid,
                exit_code=os.waitstatus_to_exitcode(status),
                pause_seconds=child.pause,
            )
            child.pid = 0

    def _stop(self) -> None:
        """Close the listeners, and forward signals until all processes have finished their requests."""
        for child in self._children:
            for listener in child.sockets:
                listener.close()
        deadline = time.monotonic() + self._stop_seconds
        passed_on = 0
        if not self._signals:
            self._signals.append(signal.SIGTERM)
        while running := [child for child in self._children if child.pid]:
            number = self._signals[passed_on] if passed_on < len(self._signals) else None
            passed_on += number is not None
            if time.monotonic() > deadline:
                number = signal.SIGKILL
            for child in running:
                if number is not None:
                    os.kill(child.pid, number)
                if os.waitpid(child.pid, os.WNOHANG)[0]:
                    child.pid = 0
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
