"""Databases that are read-only, frozen, unreachable or changed: the responses, and the recovery."""

from __future__ import annotations

import signal
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.database.conftest import ServeOn
from tests.support.client import ApiClient
from tests.support.postgres import Database, Postgres
from tests.support.songs import song_csv, song_rows
from tests.support.waiting import eventually

SONGS = song_csv(song_rows(5))
GENRES = "{ genres { name songCount } }"


def codes(response: httpx.Response) -> list[str]:
    return [error["extensions"]["code"] for error in response.json().get("errors", [])]


def health(api: ApiClient) -> dict[str, str]:
    return dict(api.http.get("/healthcheck", timeout=10).json())


def assert_unavailable(response: httpx.Response, words: str = "The database cannot be reached") -> None:
    assert (response.status_code, codes(response)) == (503, ["UNAVAILABLE"]), response.text
    assert response.headers["retry-after"] == "5"
    assert response.json()["errors"][0]["message"].startswith(words)


def recovers(api: ApiClient) -> None:
    eventually(lambda: api.post(GENRES).status_code == 200, "queries are answered")
    eventually(lambda: api.upload(SONGS).status_code == 200, "songs are stored")
    eventually(lambda: health(api)["status"] == "ok", "it is healthy")


def make_writable(database: Database) -> None:
    database.server.execute(f"ALTER DATABASE {database.name} RESET ALL")
    database.cut_connections()


@contextmanager
def role_of(database: Database, *attributes: str) -> Iterator[tuple[str, str]]:
    """Create a role that owns everything in a database; yield its name and its URL."""
    name = f"role_{uuid.uuid4().hex}"
    database.execute(f"CREATE ROLE {name} LOGIN SUPERUSER PASSWORD 'secret'")
    for attribute in attributes:
        database.execute(f"ALTER ROLE {name} {attribute}")
    place = urlsplit(database.url)
    try:
        yield name, place._replace(netloc=f"{name}:secret@{place.netloc.rpartition('@')[2]}").geturl()
    finally:
        database.execute(f"DROP OWNED BY {name}")
        database.execute(f"DROP ROLE {name}")


def test_a_read_only_database_answers_queries_and_recovers(database: Database, serve_on: ServeOn) -> None:
    # given
    api = serve_on(database.url)
    api.classify(SONGS)
    # when
    database.execute(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    database.cut_connections()
    # then
    eventually(lambda: health(api)["database"] == "read-only", "it says so")
    assert (health(api)["status"], api.post(GENRES).status_code) == ("degraded", 200)
    assert_unavailable(api.upload(SONGS), "The database is not accepting writes.")
    assert_unavailable(api.upload(SONGS, background=True), "The database is not accepting writes.")
    # and when
    make_writable(database)
    # then
    recovers(api)


def test_a_service_starts_on_a_read_only_database(database: Database, serve_on: ServeOn) -> None:
    database.execute(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    api = serve_on(database.url)
    assert (api.post(GENRES).status_code, health(api)["database"]) == (200, "read-only")
    assert_unavailable(api.upload(SONGS), "The database is not accepting writes.")
    make_writable(database)
    recovers(api)


@pytest.mark.parametrize("setting", ["statement_timeout = 20", "idle_in_transaction_session_timeout = 1"])
def test_timeouts_of_a_role_do_not_interrupt_the_service(
    database: Database, serve_on: ServeOn, setting: str
) -> None:
    with role_of(database, f"SET {setting}") as (_, url):
        api = serve_on(url)
        assert api.classify(song_csv(song_rows(2_000)))["rowsClassified"] == 2_000
        assert api.post(GENRES).status_code == 200


def test_a_timeout_set_in_the_url_is_reported(database: Database, serve_on: ServeOn) -> None:
    api = serve_on(f"{database.url}&options=-cstatement_timeout%3D400")
    gate = database.close_gate("songs", "true")
    response = api.upload(SONGS)
    gate.open()
    assert (response.status_code, codes(response)) == (504, ["QUERY_TIMEOUT"])


@pytest.mark.parametrize(
    ("change", "undo"),
    [
        ("ALTER ROLE {role} PASSWORD 'other'", "ALTER ROLE {role} PASSWORD 'secret'"),
        ("ALTER ROLE {role} NOLOGIN", "ALTER ROLE {role} LOGIN"),
        ("ALTER ROLE {role} CONNECTION LIMIT 0", "ALTER ROLE {role} CONNECTION LIMIT -1"),
        ("ALTER ROLE {role} NOSUPERUSER", "ALTER ROLE {role} SUPERUSER"),
        (
            "ALTER DATABASE {database} ALLOW_CONNECTIONS false",
            "ALTER DATABASE {database} ALLOW_CONNECTIONS true",
        ),
        ("ALTER DATABASE {database} RENAME TO {role}", "ALTER DATABASE {role} RENAME TO {database}"),
    ],
)
def test_an_operators_change_is_an_outage_until_it_is_reverted(
    postgres: Postgres, database: Database, serve_on: ServeOn, change: str, undo: str
) -> None:
    with role_of(database) as (role, url):
        api = serve_on(url)
        api.classify(SONGS)
        # when
        if "LIMIT" in change:  # which do not apply to superusers
            postgres.execute(f"ALTER ROLE {role} NOSUPERUSER")
        if "RENAME" in change:  # which waits five seconds if the service connects again first
            postgres.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS false")

        def make_change() -> None:
            database.cut_connections()
            postgres.execute(change.format(role=role, database=database.name))

        eventually(make_change, "it is changed")
        if "RENAME" in change:
            postgres.execute(f"ALTER DATABASE {role} ALLOW_CONNECTIONS true")
        database.cut_connections()
        # then
        assert_unavailable(api.post(GENRES))
        assert_unavailable(api.upload(SONGS))
        assert httpx.get(f"{api.url}/healthcheck").status_code == 503
        # and when
        postgres.execute(undo.format(role=role, database=database.name))
        postgres.execute(f"ALTER ROLE {role} SUPERUSER")
        # then
        recovers(api)


def test_a_server_restart_causes_no_internal_errors(
    postgres: Postgres, database: Database, serve_on: ServeOn
) -> None:
    # given fifty clients that read continuously
    api = serve_on(database.url)
    api.classify(SONGS)
    answers: list[Counter[tuple[int | str, ...]]] = [Counter() for _ in range(50)]
    stop = Event()

    def read(seen: Counter[tuple[int | str, ...]]) -> None:
        with ApiClient(api.url) as reader:
            while not stop.is_set():
                response = reader.post("{ genres { name } songs(first: 5) { nodes { title batch { id } } } }")
                seen[response.status_code, *codes(response)[:1]] += 1

    def all_see(*answer: int | str) -> None:
        before = [seen[answer] for seen in answers]
        eventually(
            lambda: all(seen[answer] > count for seen, count in zip(answers, before, strict=True)),
            f"all see {answer}",
        )

    with ThreadPoolExecutor(50) as pool:
        readers = [pool.submit(read, seen) for seen in answers]
        try:
            # when
            all_see(200)
            postgres.kill()
            all_see(503, "UNAVAILABLE")
            postgres.start()
            all_see(200)
        finally:
            stop.set()
        for reader in readers:
            reader.result()
    # then; an answer that has only some of its data has the status 200, too
    assert set().union(*answers) - {(200, "UNAVAILABLE")} == {(200,), (503, "UNAVAILABLE")}
    recovers(api)


@contextmanager
def frozen(postgres: Postgres) -> Iterator[None]:
    """Stop all processes of the server, as pausing its virtual machine does."""
    postmaster = psutil.Process(postgres.pid)
    processes = [postmaster, *postmaster.children(recursive=True)]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGCONT)


def test_a_frozen_server_does_not_delay_unknown_callers(
    postgres: Postgres, database: Database, serve_on: ServeOn
) -> None:
    # given readers that wait for the database
    api = serve_on(database.url, request_timeout_seconds=3)
    with frozen(postgres), ApiClient(api.url, "test", "wrong") as stranger, ThreadPoolExecutor(20) as pool:
        readers = [pool.submit(api.post, GENRES) for _ in range(15)]
        # then
        for _ in range(3):
            assert stranger.post(GENRES, timeout=2).status_code == 401
            answer = api.http.get("/healthcheck", timeout=3)
            assert (answer.status_code, answer.json()["database"]) == (503, "timed out")
        assert {reader.result().status_code for reader in readers} <= {503, 504}
    recovers(api)
