"""A PostgreSQL that tests may break, and services on its databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from pydantic import SecretStr

from app.http.servers import running
from app.main import create_app
from app.settings import Settings
from tests.conftest import NOT_DURABLE
from tests.support.client import ApiClient
from tests.support.postgres import Database, Postgres, running_postgres

ServeOn = Callable[..., ApiClient]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres(**NOT_DURABLE) as server:
        yield server


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    with postgres.database() as database:
        yield database


@pytest.fixture
def serve_on() -> Iterator[ServeOn]:
    """Start a service on a database of the test's choice."""
    with ExitStack() as services:

        def serve(url: str, **settings: Any) -> ApiClient:
            given = {"database_url": SecretStr(url), "clients": SecretStr("test:test"), **settings}
            app = create_app(Settings(_env_file=None, **given))
            port = services.enter_context(running(app))
            return services.enter_context(ApiClient(f"http://127.0.0.1:{port}"))

        yield serve
