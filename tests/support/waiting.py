"""Wait for a condition instead of a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import asyncpg
import httpx

from tests.support.client import ApiClient

BATCH = """
query ($id: ID!) {
  batch(id: $id) { id status error rowsUploaded rowsProcessed rowsClassified rowsDuplicated }
}
"""
FINAL = ("SUCCEEDED", "FAILED", "CANCELLED")

DEADLINE_SECONDS = 120.0
"""Long, because test machines may be busy; usually nothing waits this long."""


PAUSE_SECONDS = 0.03


def eventually(
    condition: Callable[[], object],
    what: str,
    seconds: float = DEADLINE_SECONDS,
    pause: float = PAUSE_SECONDS,
) -> None:
    """Wait until a condition is not False, even if the database or service is unavailable meanwhile.

    Args:
        condition: checked repeatedly.
        what: describes the condition in the error message.
        seconds: time limit.
        pause: seconds between two checks.
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
        time.sleep(pause)


def finished(
    api: ApiClient,
    batch_id: str,
    query: str = BATCH,
    seconds: float = DEADLINE_SECONDS,
    pause: float = PAUSE_SECONDS,
) -> dict[str, Any]:
    """Wait for the end of a batch, even through outages of the service.

    Args:
        api: the client.
        batch_id: its id.
        query: queries the batch with its `status`.
        seconds: time limit.
        pause: seconds between two queries.
    """
    batch: dict[str, Any] = {}

    def is_final() -> bool:
        response = api.post(query, {"id": batch_id})
        if response.status_code == 200:
            batch.update(response.json()["data"]["batch"])
        return batch.get("status") in FINAL

    eventually(is_final, f"{batch_id} ends", seconds, pause)
    return batch
