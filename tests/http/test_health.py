from __future__ import annotations

import threading
import time

from app import __version__
from tests.client import ApiClient
from tests.conftest import ExecuteSql, StartService
from tests.factories.songs import song_csv, song_rows


def test_the_health_check_tells_version_model_and_database(api: ApiClient) -> None:
    model = api.execute("{ model { version } }")["model"]["version"]
    response = api.http.get("/healthcheck")
    assert response.status_code == 200
    assert response.json() == {
        "status": "ok",
        "name": "genregraph",
        "version": __version__,
        "modelVersion": model,
        "database": "ok",
    }


def test_without_its_tables_the_service_lives_but_is_not_ready(
    api: ApiClient, execute_sql: ExecuteSql
) -> None:
    # given
    execute_sql("DROP TABLE songs")
    # then
    assert api.http.get("/livez").json() == {"status": "alive"}
    response = api.http.get("/healthcheck")
    assert response.status_code == 503
    assert (response.json()["status"], response.json()["database"]) == ("unavailable", "unreachable")


def test_livez_answers_at_once_while_a_large_file_is_classified(start_service: StartService) -> None:
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
    # then: this is no benchmark, a blocked loop would show as one wait of most of a second
    waits.sort()
    assert len(waits) > 10
    assert waits[len(waits) * 9 // 10] < 0.25
