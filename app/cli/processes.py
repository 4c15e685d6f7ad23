"""Several processes that serve one port: started, restarted when they die, and stopped together."""

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
"""A process that ran for so long is restarted at once; one that did not waits, each time twice as long."""

FIRST_PAUSE_SECONDS: Final = 0.5
MAX_PAUSE_SECONDS: Final = 30.0
BACKLOG: Final = 2048

log = structlog.get_logger(__name__)


@dataclass
class Place:
    """What one process needs to know.

    Attributes:
        number: of the process, from 0.
        sockets: those that it listens on.
        lifeline: a descriptor that ends when the parent does.
        ready: tells the parent that the process serves.
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
    """Runs a function in several processes until a signal comes.

    Each has a listening socket of its own on the one port, among which Linux spreads connections. The parent
    keeps all of them open, so that what arrives while a process is being restarted waits for its successor.
    """

    def __init__(
        self, count: int, host: str, port: int, serve: Callable[[Place], int], *, stop_seconds: float
    ) -> None:
        """Listen; nothing is served yet.

        Args:
            count: how many processes.
            host: the address, or a name.
            port: 0 takes a free one.
            serve: serves in a process, until that gets a signal, and returns the process' exit code.
            stop_seconds: how long a process may take to stop before it is killed.

        Raises:
            OSError: the port cannot be listened on.
        """
        self._serve = serve
        self._stop_seconds = stop_seconds
        self._signals: list[int] = []
        self._lifeline, self._life = os.pipe()
        self._children = [_Child(n, sockets) for n, sockets in enumerate(_listeners(count, host, port))]

    def run(self) -> int:
        """Serve until a signal comes; return 0, or the exit code of the first process if it cannot start."""
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
        """Start it, and wait until it serves; its exit code if it does not."""
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
            # A terminal's Ctrl-C is for the parent, which passes it on.
            os.setpgid(0, 0)
            for other in self._children:
                for listener in other.sockets if other is not child else ():
                    listener.close()

            def tell() -> None:
                if ready is not None:
                    os.write(ready, b"1")
                    os.close(ready)

            code = self._serve(Place(child.number, child.sockets, self._lifeline, tell))
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # what the parent has opened is the parent's to close

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
        """Let all processes end: nobody new comes in, and each answers whom it has."""
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
    """Return the sockets of each process, one for each address of the host."""
    by_address = []
    places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, place in dict.fromkeys((place[0], place[4]) for place in places):
        with socket.create_server((place[0], port, *place[2:]), family=family) as probe:
            port = probe.getsockname()[1]  # nobody else listens there
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
