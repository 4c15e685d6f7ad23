"""Secrets, songs and queries of clients do not appear in the logs."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import structlog
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from app.observability.logs import configure_logs
from app.settings import LogFormat
from tests.conftest import ExecuteSql
from tests.support.client import CLASSIFY_BATCH, ApiClient, upload_parts
from tests.support.ports import free_port
from tests.support.programs import GENREGRAPH, ROOT
from tests.support.songs import song_csv, song_row, song_rows
from tests.support.waiting import eventually
from tests.support.websocket import greeted, opened, send

SECRET = "canarysecretcanary"
WRONG_SECRET = "canarywrongcanary"
TITLE = "Canarytitle Canary"
QUERY = "canaryquery" + "canary" * 30
HEADER = "canaryheadercanary"
PASSWORD = "canarypassword"
CANARIES = (SECRET, WRONG_SECRET, TITLE, QUERY, HEADER, PASSWORD)

CLASSIFY_SONGS = (
    "mutation ($input: ClassifySongsInput!) { classifySongs(input: $input) { __typename "
    "... on InvalidSongs { message } } }"
)


class Logged:
    """A running service and its log."""

    def __init__(self, database_url: str, log_format: str, log: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._log = log
        settings = {
            "DATABASE_URL": database_url,
            "CLIENTS": f"test:{SECRET}",
            "LOG_FORMAT": log_format,
            "PORT": str(port),
            "REQUEST_TIMEOUT_SECONDS": "5",
        }
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [*GENREGRAPH, "serve"],
                cwd=ROOT,
                env={**os.environ, **{f"GENREGRAPH_{name}": value for name, value in settings.items()}},
                stdout=file,
                stderr=file,
            )

    def wait_until_ready(self) -> None:
        eventually(self._is_ready, "the service is ready")

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self.text
        return httpx.get(f"{self.url}/healthcheck").status_code == 200

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)

    @property
    def text(self) -> str:
        return self._log.read_text(errors="replace")


@pytest.fixture(params=["json", "console"])
def service(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path, execute_sql: ExecuteSql
) -> Iterator[Logged]:
    role = f"canary_{time.monotonic_ns()}"
    execute_sql(f"CREATE ROLE {role} SUPERUSER LOGIN PASSWORD '{PASSWORD}'")
    where = database_url.rpartition("@")[2]
    logged = Logged(f"postgresql://{role}:{PASSWORD}@{where}", request.param, tmp_path / "log")
    try:
        logged.wait_until_ready()
        yield logged
    finally:
        logged.stop()
        execute_sql(f"REASSIGN OWNED BY {role} TO CURRENT_USER")
        execute_sql(f"DROP ROLE {role}")


def good_requests(api: ApiClient) -> None:
    api.execute(f'{{ songs(titleContains: "{QUERY}") {{ totalCount }} }}')
    api.http.get("/graphql", params={"query": f"{{ {QUERY}: __typename }}"})
    api.classify(song_csv([song_row(title=TITLE), *song_rows(20)]), name=f"{TITLE}.csv")
    batch = api.classify(song_csv([song_row(title=TITLE)]), background=True)
    api.execute("query ($id: ID!) { batch(id: $id) { songs { nodes { title } } } }", id=batch["id"])
    api.http.get(f"/batches/{batch['id']}/songs.csv")
    api.post("{ __typename }", headers={"x-canary": HEADER, "user-agent": HEADER})
    with opened(api, additional_headers={"x-canary": HEADER}) as connection:
        greeted(connection, {"client-id": "test", "client-secret": SECRET})
        payload = {"query": f"{{ {QUERY}: __typename }}"}
        send(connection, type="subscribe", id="1", payload=payload)
        connection.recv(timeout=60)


def bad_requests(api: ApiClient) -> None:
    for query in (
        f"{{ {QUERY}",
        f"{{ {QUERY} }}",
        f"{{ songs(first: -1, after: {json.dumps(QUERY)}) {{ nodes {{ title }} }} }}",
    ):
        assert "errors" in api.post(query).json()
        api.post(query, headers={"accept": "text/event-stream"})
        with opened(api) as connection:
            greeted(connection, {"client-id": "test", "client-secret": SECRET})
            send(connection, type="subscribe", id="1", payload={"query": query})
            with contextlib.suppress(ConnectionClosed):
                connection.recv(timeout=60)
    api.post("query ($id: ID!) { batch(id: $id) { id } }", {"id": QUERY})
    api.http.post("/graphql", content=f'{{"query": "{QUERY}', headers={"content-type": "application/json"})
    api.http.post("/graphql", content=TITLE, headers={"content-type": "multipart/form-data; boundary=x"})
    api.upload(song_csv([song_row(title=TITLE, tempo=TITLE)]))
    api.upload(b"\0" + TITLE.encode())
    api.multipart([("operations", (None, TITLE)), ("map", (None, TITLE)), ("0", (TITLE, TITLE.encode()))])
    api.post(CLASSIFY_SONGS, {"input": {"songs": [{"trackId": TITLE, "title": TITLE}]}})
    for secret in (WRONG_SECRET, ""):
        httpx.post(f"{api.url}/graphql", headers={"client-id": HEADER, "client-secret": secret})
        with opened(api) as connection:
            send(connection, type="connection_init", payload={"client-id": HEADER, "client-secret": secret})
            with pytest.raises(ConnectionClosed):
                connection.recv(timeout=60)
    httpx.get(f"{api.url}/{QUERY}", params={"client-secret": SECRET})
    url = f"{api.url.replace('http', 'ws')}/graphql?query={QUERY}&client-secret={SECRET}"
    with connect(url, subprotocols=["graphql-transport-ws"]) as connection:  # type: ignore[list-item]
        connection.send(f'{{"type": "{QUERY}"}}')
    with socket.create_connection((httpx.URL(api.url).host, httpx.URL(api.url).port or 0)) as raw:
        raw.sendall(f"GET /{QUERY} NONSENSE\r\n{HEADER}\r\n\r\n".encode())
        raw.recv(1_000)


def crashing_requests(api: ApiClient, execute_sql: ExecuteSql) -> None:
    # given an unexpected database, which rejects the song and lacks a column
    execute_sql(f"ALTER TABLE songs ADD CHECK (title <> '{TITLE}') NOT VALID")
    crash = api.upload(song_csv([song_row(trackID="77", title=TITLE)])).json()
    assert crash["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR", crash
    api.multipart(
        upload_parts(
            CLASSIFY_BATCH,
            song_csv([song_row(trackID="78", title=TITLE)]),
            options={"background": True},
        )
    )
    execute_sql("ALTER TABLE songs RENAME COLUMN title TO name")
    query = f'{{ {QUERY}: songs(titleContains: "{QUERY}") {{ nodes {{ title }} }} }}'
    crash = api.post(query).json()
    assert crash["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR", crash
    execute_sql("ALTER TABLE batches RENAME COLUMN client_id TO somebody")
    assert api.http.get("/batches/67e55044-10b1-426f-9247-bb680e5fe0c8/songs.csv").status_code == 500


def test_no_text_from_clients_is_logged(service: Logged, execute_sql: ExecuteSql) -> None:
    steps: tuple[Callable[[ApiClient], None], ...] = (
        good_requests,
        bad_requests,
        lambda api: crashing_requests(api, execute_sql),
    )
    for step in steps:
        with ApiClient(service.url, "test", SECRET) as api:
            step(api)
    time.sleep(1)  # for the worker's attempt at the last batch
    service.stop()
    # then
    leaked = {canary: line for canary in CANARIES for line in service.text.splitlines() if canary in line}
    assert leaked == {}
    # and the log has what operators need
    assert "unexpected error" in service.text
    assert "CheckViolation" in service.text


def test_a_line_that_cannot_be_written_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a closed standard error, as of a parent that has ended
    closed = io.StringIO()
    closed.close()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", closed)
        configure_logs(LogFormat.JSON)
    # when, then
    try:
        structlog.get_logger(__name__).warning("lost")
    finally:
        configure_logs(LogFormat.JSON)
