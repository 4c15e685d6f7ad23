"""Make services in the test's process start and stop quickly."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import strawberry
import uvicorn.server

from app import resource
from app.batches import following, worker
from app.batches.queue import QueueRepository
from app.batches.worker import Worker
from app.clients import directory
from graphql_schema.schema import OurSchema
from ml.model.artifact import load_ensemble
from ml.model.ensemble import Ensemble


class _QuickAsyncio:
    """asyncio with shorter sleeps, for uvicorn's server, which checks every 0.1 s whether to stop."""

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
"""How long services wait before they poll or try again."""

workers_needed = threading.Event()
"""Makes all services of this process start their workers; set when a batch is queued.

Most tests queue nothing, and a worker costs as much as the rest of a service.
"""


async def _run_when_needed(worker: Worker, stopping: asyncio.Event, run: Any = Worker.run_until) -> None:
    while not (workers_needed.is_set() or stopping.is_set()):
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), 0.02)
    if workers_needed.is_set():
        await run(worker, stopping)


async def _add_and_start_workers(
    repository: QueueRepository, batch_id: uuid.UUID, add: Any = QueueRepository.add
) -> None:
    await add(repository, batch_id)
    workers_needed.set()


def _initialize_once(initialize: Callable[..., None]) -> Callable[..., None]:
    """Return an initializer of schemas that copies the service's schema, with or without suggestions.

    Converting the schema's types takes longer than the rest of `create_app`.
    """
    made: dict[bool, dict[str, Any]] = {}

    def initialize_or_copy(schema: strawberry.Schema, *positional: Any, **arguments: Any) -> None:
        if not isinstance(schema, OurSchema):
            initialize(schema, *positional, **arguments)
            return
        closed = arguments["config"].disable_field_suggestions
        if closed not in made:
            initialize(schema, **arguments)
            made[closed] = dict(vars(schema))
        vars(schema).update(made[closed])

    return initialize_or_copy


@contextmanager
def quick_services() -> Iterator[None]:
    """Make services start, follow batches and stop quickly in this process.

    They load the shipped model and the system's certificates and convert the schema's types once, start
    their workers when a batch is queued, and poll the database ten times as often.
    """
    shipped = resource("model")
    load_shipped = cache(partial(load_ensemble, shipped))

    def load(folder: Path) -> Ensemble:
        return load_shipped() if folder == shipped else load_ensemble(folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.main.load_ensemble", load)
        patch.setattr(Worker, "run_until", _run_when_needed)
        patch.setattr(QueueRepository, "add", _add_and_start_workers)
        patch.setattr(strawberry.Schema, "__init__", _initialize_once(strawberry.Schema.__init__))
        patch.setattr(httpx._transports.default, "create_ssl_context", cache(httpx.create_ssl_context))  # noqa: SLF001
        patch.setattr(uvicorn.server, "asyncio", _QuickAsyncio())
        for module, name in _INTERVALS:
            patch.setattr(module, name, getattr(module, name) / 10)
        yield
