"""A real PostgreSQL for the session, a fresh database per test, and the service over real HTTP."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.engine import Engine

from app.database.engine import ReadPool
from app.http.servers import running
from app.local_postgres.server import EmbeddedPostgres
from app.main import create_app
from app.observability.logs import configure_logs
from app.settings import LogFormat, Settings
from tests.support.client import ApiClient
from tests.support.databases import Databases, empty_database, execute
from tests.support.folders import open_fast_folder
from tests.support.services import quick_services, workers_needed

NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""Test databases need not survive a power failure."""

# No deadlines: the duration of an example depends on the load of the machine.
settings.register_profile(
    "quick", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50
)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=200)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

SMALL = {"shared_buffers": "32MB"}
"""Each connection maps the buffers, and truncating a table searches all of them."""

CLIENTS = "test:test,nightly:first,nightly:second"


def pytest_collection_finish() -> None:
    """Exempt everything imported so far from garbage collection, which would scan it repeatedly."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Handle SIGINT: background jobs of a shell ignore it, and so would the programs that tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _logs() -> None:
    configure_logs(LogFormat.JSON)


@pytest.fixture(scope="session", autouse=True)
def _quick_services() -> Iterator[None]:
    with quick_services():
        yield


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_fast_folder() as path:
        yield path


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    with open_fast_folder() as path, EmbeddedPostgres(path, settings=NOT_DURABLE | SMALL) as url:
        yield url


@pytest.fixture(scope="session")
def databases(server_url: str) -> Iterator[Databases]:
    with closing(Databases(server_url)) as databases:
        yield databases


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    with empty_database(server_url) as url:
        yield url


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    with databases.migrated() as url:
        yield url


ExecuteSql = Callable[[str], None]


@pytest.fixture
def execute_sql(database_url: str) -> ExecuteSql:
    """Run an SQL statement on the test's database, without the service."""
    return lambda statement: execute(database_url, statement)


StartService = Callable[..., ApiClient]


@pytest.fixture
def start_service(database_url: str) -> Iterator[StartService]:
    """Start services on the test's database, with settings of the test's choice.

    Their workers start when a batch is queued, when a test sets `worker_concurrency`, or with a second
    service, which may have to continue what the first one has left.
    """
    workers_needed.clear()
    with ExitStack() as services:
        started: list[ApiClient] = []

        def start(*, known_client: str | None = None, **settings: Any) -> ApiClient:
            if started or settings.get("worker_concurrency"):
                workers_needed.set()
            given = {"database_url": SecretStr(database_url), "clients": SecretStr(CLIENTS), **settings}
            app = create_app(Settings(_env_file=None, **given), known_client=known_client)
            port = services.enter_context(running(app))
            started.append(services.enter_context(ApiClient(f"http://127.0.0.1:{port}")))
            return started[-1]

        yield start


@pytest.fixture
def api(start_service: StartService) -> ApiClient:
    return start_service()


@pytest.fixture(scope="module")
def shared_database_url(databases: Databases) -> Iterator[str]:
    """The database of the module's shared service."""
    with databases.migrated() as url:
        yield url


@pytest.fixture(scope="module")
def shared_api(shared_database_url: str) -> Iterator[ApiClient]:
    """One service for all tests of a module, which must not affect each other."""
    database_url = SecretStr(shared_database_url)
    settings = Settings(_env_file=None, database_url=database_url, clients=SecretStr(CLIENTS))
    with running(create_app(settings)) as port, ApiClient(f"http://127.0.0.1:{port}") as client:
        yield client


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Record the SQL statements of services, except for the periodic ones about clients."""
    sent: list[str] = []

    def record(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "api_clients" not in statement:
            sent.append(" ".join(statement.split()))

    send = ReadPool._fetch  # noqa: SLF001 - services already hold a reference to `fetch`

    async def record_and_send(pool: ReadPool, sql: str, arguments: tuple[object, ...]) -> list[Any]:
        sent.append(" ".join(sql.split()))
        return await send(pool, sql, arguments)

    monkeypatch.setattr(ReadPool, "_fetch", record_and_send)
    event.listen(Engine, "before_cursor_execute", record)
    yield sent
    event.remove(Engine, "before_cursor_execute", record)
