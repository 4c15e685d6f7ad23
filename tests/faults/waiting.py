"""Waiting for a state instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

import asyncpg
import httpx

DEADLINE_SECONDS = 60.0
"""Long, since machines that run tests are busy; nothing waits so long where all is well."""


def eventually(condition: Callable[[], object], what: str, seconds: float = DEADLINE_SECONDS) -> None:
    """Wait until a condition is not False; a database or service that is away is asked again.

    Args:
        condition: looked at over and over.
        what: happens then, for the message.
        seconds: how long to wait.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition() is not False:
                return
            trouble = ""
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, httpx.TransportError) as error:
            trouble = f": {error!r}"
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}{trouble}"
        time.sleep(0.03)
