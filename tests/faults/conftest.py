"""A PostgreSQL per test process, durable as in production, with services and workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.postgres import Database, Postgres, running_postgres
from tests.support.processes import Service, WorkerProgram


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    with postgres.database() as database:
        yield database


class Programs:
    """Starts programs on a database, and ends them after the test."""

    def __init__(self, database: Database, folder: Path, stack: ExitStack) -> None:
        self._environment = {
            "GENREGRAPH_DATABASE_URL": database.url,
            "GENREGRAPH_CLIENTS": "test:test,nightly:second",
            "GENREGRAPH_LOG_FORMAT": "json",
        }
        self._folder = folder
        self._stack = stack
        self._started = 0

    @classmethod
    @contextmanager
    def on(cls, database: Database, folder: Path) -> Iterator[Programs]:
        """Return programs on a database, which are ended after the test."""
        with ExitStack() as stack:
            yield cls(database, folder, stack)

    def serve(
        self, *, workers: int = 0, before: Callable[[], None] | None = None, **environment: str
    ) -> Service:
        """Start `genregraph serve`, and wait until it is ready."""
        service = Service(
            free_port(), *self._given(GENREGRAPH_WORKER_CONCURRENCY=str(workers), **environment), before
        )
        self._stack.callback(service.api.http.close)
        self._stack.callback(service.kill)
        service.wait_until_ready()
        return service

    def work(self, before: Callable[[], None] | None = None, **environment: str) -> WorkerProgram:
        """Start `genregraph worker`."""
        worker = WorkerProgram(*self._given(**environment), before)
        self._stack.callback(worker.kill)
        return worker

    def _given(self, **environment: str) -> tuple[dict[str, str], Path]:
        self._started += 1
        return {**self._environment, **environment}, self._folder / f"log-{self._started}"


@pytest.fixture
def programs(database: Database, tmp_path: Path) -> Iterator[Programs]:
    with Programs.on(database, tmp_path) as programs:
        yield programs
