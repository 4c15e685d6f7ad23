"""A real PostgreSQL for the session, a fresh database per test, and the service over real HTTP."""

from __future__ import annotations

import asyncio
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import pytest
from hypothesis import settings
from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.engine import Engine

from app.database.migrate import migrate
from app.embedded_postgres import EmbeddedPostgres
from app.http.background_server import running
from app.logs import configure_logs
from app.main import create_app
from app.settings import LogFormat, Settings
from tests.client import ApiClient

NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""A test's database need not survive a power cut."""

# How long an example takes tells of the machine's other work.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

CLIENTS = "test:test,nightly:first,nightly:second"


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Let the programs that tests start be interrupted: a shell's background jobs ignore SIGINT, for good."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _logs() -> None:
    configure_logs(LogFormat.JSON)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that root's server account can reach; those of pytest's tmp_path are closed to it."""
    with TemporaryDirectory(prefix="genregraph-test-") as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as path:
        yield path


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    with open_folder() as path, EmbeddedPostgres(path, settings=NOT_DURABLE) as url:
        yield url


@pytest.fixture(scope="session")
def template(server_url: str) -> str:
    name = "migrated_template"
    _administer(server_url, f"CREATE DATABASE {name}")
    migrate(_database_url(server_url, name))
    return name


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    with _database(server_url) as url:
        yield url


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    with _database(server_url, f"TEMPLATE {template}") as url:
        yield url


ExecuteSql = Callable[[str], None]


@pytest.fixture
def execute_sql(database_url: str) -> ExecuteSql:
    """Run a statement on the test's database, behind the service's back."""
    return lambda statement: _administer(database_url, statement)


StartService = Callable[..., ApiClient]


@pytest.fixture
def start_service(database_url: str) -> Iterator[StartService]:
    """Start the service on the test's database, with settings of the test's choice."""
    with ExitStack() as services:

        def start(*, known_client: str | None = None, **settings: Any) -> ApiClient:
            given = {"database_url": SecretStr(database_url), "clients": SecretStr(CLIENTS), **settings}
            app = create_app(Settings(_env_file=None, **given), known_client=known_client)
            port = services.enter_context(running(app))
            return services.enter_context(ApiClient(f"http://127.0.0.1:{port}"))

        yield start


@pytest.fixture
def api(start_service: StartService) -> ApiClient:
    return start_service()


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """The SQL statements that the service sends, in order."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(" ".join(statement.split()))

    event.listen(Engine, "before_cursor_execute", note)
    yield sent
    event.remove(Engine, "before_cursor_execute", note)


@contextmanager
def _database(server_url: str, options: str = "") -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    _administer(server_url, f"CREATE DATABASE {name} {options}")
    try:
        yield _database_url(server_url, name)
    finally:
        _administer(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(server_url: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(server_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


def _database_url(server_url: str, name: str) -> str:
    return f"{server_url.rpartition('/')[0]}/{name}"
