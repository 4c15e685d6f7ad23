from __future__ import annotations

import threading
import time

import httpx
import pytest

from app import __version__
from app.http.servers import running
from app.main import create_app
from app.settings import Settings
from tests.conftest import ExecuteSql, StartService
from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_rows
from tests.support.waiting import eventually


def test_the_health_check_shows_version_model_database_and_worker_to_clients(
    start_service: StartService,
) -> None:
    api = start_service(worker_concurrency=1)
    model = api.execute("{ model { version } }")["model"]["version"]
    eventually(lambda: api.http.get("/healthcheck").json()["worker"] == "running", "the worker runs")
    response = api.http.get("/healthcheck")
    assert response.status_code == 200
    assert response.json() == {
        "status": "ok",
        "name": "genregraph",
        "version": __version__,
        "modelVersion": model,
        "database": "ok",
        "migrations": "current",
        "worker": "running",
    }


def test_the_health_check_shows_only_the_status_without_credentials(api: ApiClient) -> None:
    # given
    wrong = {"client-id": "test", "client-secret": "guessed"}
    # then
    stranger = httpx.get(f"{api.url}/healthcheck")
    assert (stranger.status_code, stranger.json()) == (200, {"status": "ok"})
    assert httpx.get(f"{api.url}/healthcheck", headers=wrong).status_code == 401


def test_the_health_check_reports_a_missing_worker(start_service: StartService) -> None:
    # given
    api = start_service(worker_concurrency=0)
    # when
    response = api.http.get("/healthcheck")
    # then: requests are served
    assert (response.status_code, response.json()["worker"]) == (200, "none")


@pytest.mark.parametrize(
    ("revision", "status_code", "migrations"),
    [("2099_01_01_later", 200, "ahead")],
)
def test_the_health_check_compares_the_migrations_with_this_release(
    revision: str, status_code: int, migrations: str, api: ApiClient, execute_sql: ExecuteSql
) -> None:
    # given
    execute_sql(f"UPDATE alembic_version SET version_num = '{revision}'")  # noqa: S608  (a constant)
    # when
    response = api.http.get("/healthcheck")
    # then
    assert (response.status_code, response.json()["migrations"]) == (status_code, migrations)


def test_a_stopping_replica_is_not_ready(database_url: str) -> None:
    # given
    app = create_app(Settings(_env_file=None, database_url=database_url, clients="test:test"))
    with running(app) as port, ApiClient(f"http://127.0.0.1:{port}") as api:
        assert api.http.get("/healthcheck").status_code == 200
        # when
        app.state.stop()
        # then
        response = api.http.get("/healthcheck")
        assert (response.status_code, response.json()["status"]) == (503, "stopping")
        assert api.http.get("/livez").status_code == 200
        assert api.execute("{ genres { name } }") == {"genres": []}


def test_the_service_is_alive_but_not_ready_without_its_tables(
    api: ApiClient, execute_sql: ExecuteSql
) -> None:
    # given
    execute_sql("DROP TABLE songs")
    # then
    assert api.http.get("/livez").json() == {"status": "alive"}
    response = api.http.get("/healthcheck")
    assert response.status_code == 503
    assert (response.json()["status"], response.json()["database"]) == ("unavailable", "unreachable")


def test_livez_responds_quickly_while_a_large_file_is_classified(start_service: StartService) -> None:
    # given
    api = start_service()
    file = song_csv(song_rows(4_000))
    done = threading.Event()

    def send() -> None:
        with ApiClient(api.url) as sender:
            sender.classify(file)
        done.set()

    sender = threading.Thread(target=send)
    # when
    sender.start()
    waits = []
    while not done.is_set():
        before = time.perf_counter()
        assert api.http.get("/livez").status_code == 200
        waits.append(time.perf_counter() - before)
    sender.join()
    # then: if the event loop were blocked, one request would wait for nearly as long as the file takes
    assert len(waits) > 10
    assert max(waits) < sum(waits) / 3
