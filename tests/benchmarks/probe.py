"""Measure the latency of a request while something else runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Self


class Probe:
    """Calls a function repeatedly in a thread while the context is open.

    Attributes:
        latencies: the duration of each call in seconds.
    """

    def __init__(self, call: Callable[[], object], *, pause: float) -> None:
        """Prepare the thread.

        Args:
            call: called at least once.
            pause: seconds between two calls.
        """
        self._call = call
        self._pause = pause
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._repeat)
        self.latencies: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _repeat(self) -> None:
        stopping = False
        while not stopping:
            before = time.perf_counter()
            self._call()
            self.latencies.append(time.perf_counter() - before)
            stopping = self._stopping.wait(self._pause)
