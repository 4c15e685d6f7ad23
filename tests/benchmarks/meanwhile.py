"""Something that is done over and over while something else is measured."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Self


class Meanwhile:
    """Does its work again and again in a thread, and remembers how long each turn took.

    Attributes:
        waits: of each turn, in seconds.
    """

    def __init__(self, work: Callable[[], object], *, pause: float) -> None:
        """Get ready; it begins as a context manager.

        Args:
            work: is done at least once.
            pause: between two turns, in seconds.
        """
        self._work = work
        self._pause = pause
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._repeat)
        self.waits: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _repeat(self) -> None:
        ended = False
        while not ended:
            before = time.perf_counter()
            self._work()
            self.waits.append(time.perf_counter() - before)
            ended = self._ended.wait(self._pause)
