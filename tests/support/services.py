"""Make services in the test's process start and stop quickly."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn.server

from app.batches import following, worker
from app.clients import directory
from app.resources import resource
from ml.model.artifact import load_ensemble
from ml.model.ensemble import Ensemble


class _HastyAsyncio:
    """asyncio for uvicorn's server with a shorter sleep than its 0.1 s between checks."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    @staticmethod
    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / 10)


_INTERVALS = (
    (directory, "REFRESH_SECONDS"),
    (following, "POLL_SECONDS"),
    (following, "QUEUED_POLL_SECONDS"),
    (worker, "POLL_INTERVAL"),
    (worker, "RECONNECT_SECONDS"),
    (worker, "RETRY_DELAY"),
    (worker, "WAITING_DELAY"),
)
"""What services wait before they look or try again."""


@contextmanager
def quick_services() -> Iterator[None]:
    """Make services start, follow batches and stop quickly in this process.

    They load the shipped model and the system's certificates once, and poll the database ten times as often.
    """
    shipped = resource("model")
    load_shipped = cache(partial(load_ensemble, shipped))

    def load(folder: Path) -> Ensemble:
        return load_shipped() if folder == shipped else load_ensemble(folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.main.load_ensemble", load)
        patch.setattr(httpx._transports.default, "create_ssl_context", cache(httpx.create_ssl_context))  # noqa: SLF001
        patch.setattr(uvicorn.server, "asyncio", _HastyAsyncio())
        for module, name in _INTERVALS:
            patch.setattr(module, name, getattr(module, name) / 10)
        yield
