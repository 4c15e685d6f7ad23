"""Defer Ctrl-C to moments when work can be interrupted safely."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class HeldInterrupts:
    """Defers Ctrl-C until `allowed`.

    KeyboardInterrupt while a library locks, renames and unlinks a file could leave it corrupt, or cause some
    other error. Outside the main thread, which gets the signals, this does nothing.
    """

    def __init__(self) -> None:
        self._allowed = False
        self._pending = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Defer Ctrl-C to the end, except in `allowed`."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._receive)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Raise KeyboardInterrupt in this context for a deferred or new Ctrl-C."""
        self._allowed = True
        try:
            if self._pending:
                raise KeyboardInterrupt
            yield
        finally:
            self._allowed = False

    def _receive(self, _signal: int, _frame: object) -> None:
        if self._allowed:
            self._allowed = False
            raise KeyboardInterrupt
        self._pending = True
