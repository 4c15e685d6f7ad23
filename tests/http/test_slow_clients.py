"""Clients that hold a connection open by sending very little."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx
import pytest

from app.http import servers
from tests.conftest import StartService
from tests.support.client import CLASSIFY_BATCH, ApiClient, upload_parts
from tests.support.databases import locked
from tests.support.songs import song_csv, song_rows
from tests.support.websocket import CREDENTIALS


def trickled(body: bytes, size: int, pause: float) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]
        time.sleep(pause)


@contextmanager
def connected(api: ApiClient) -> Iterator[socket.socket]:
    address = httpx.URL(api.url)
    with socket.create_connection((address.host, address.port or 0), timeout=60) as connection:
        yield connection


def received_until_closed(connection: socket.socket) -> bytes:
    """Return what arrives until the service closes or resets the connection."""
    parts = []
    with suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def next_response(connection: socket.socket) -> tuple[int, bytes]:
    """Return the status and body of the next response of a connection."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response.status, response.read()


def upload_request(api: ApiClient) -> httpx.Request:
    request = api.http.build_request(
        "POST",
        "/graphql",
        headers={"graphql-preflight": "1"},
        files=upload_parts(CLASSIFY_BATCH, song_csv(song_rows(20))),
    )
    request.read()
    return request


@pytest.mark.parametrize("kind", ["multipart", "json"])
def test_a_slow_body_gets_408(start_service: StartService, kind: str) -> None:
    # given a minimum of 1,000 bytes in half a second
    api = start_service(upload_min_bytes_per_second=2_000, request_timeout_seconds=0.5)
    if kind == "multipart":
        request = upload_request(api)
        content, headers = request.content, dict(request.headers)
    else:
        content = json.dumps({"query": "{ __typename }" + " " * 10_000}).encode()
        headers = {**api.http.headers, "content-type": "application/json"}
    head = {name: value for name, value in headers.items() if name != "transfer-encoding"}
    head["content-length"] = str(len(content))
    # when 500 bytes arrive in half a second
    start = time.monotonic()
    lines = [f"{name}: {value}" for name, value in head.items()]
    with connected(api) as connection:
        connection.sendall("\r\n".join(["POST /graphql HTTP/1.1", *lines, "", ""]).encode())
        ended = threading.Event()

        def trickle() -> None:
            for part in trickled(content, 10, 0.01):
                if ended.is_set():
                    return
                try:
                    connection.sendall(part)
                except OSError:
                    return

        thread = threading.Thread(target=trickle)
        thread.start()
        answer = received_until_closed(connection)
        ended.set()
        thread.join()
    # then
    assert time.monotonic() - start > 0.4
    head_of_answer, _, body = answer.partition(b"\r\n\r\n")
    assert head_of_answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in head_of_answer.lower()
    assert json.loads(body) == {
        "errors": [
            {
                "message": "The request was slower than 2,000 bytes per second over 0.5 seconds.",
                "extensions": {"code": "REQUEST_TIMEOUT"},
            }
        ]
    }
    assert api.execute("{ batches { totalCount } }") == {"batches": {"totalCount": 0}}


def test_a_slow_but_steady_upload_is_accepted(start_service: StartService) -> None:
    # given an upload that takes several averaging intervals
    api = start_service(upload_min_bytes_per_second=1_000, request_timeout_seconds=1.5)
    request = upload_request(api)
    size = len(request.content) // 20
    # when
    start = time.monotonic()
    response = api.http.post(
        "/graphql", content=trickled(request.content, size, 0.2), headers=request.headers
    )
    # then
    assert time.monotonic() - start > 3
    assert response.json()["data"]["classifyBatch"]["rowsClassified"] == 20


def test_the_processing_time_does_not_count_as_slow_sending(
    start_service: StartService, database_url: str
) -> None:
    # given a pause in which nothing is read because the client waits for the response
    api = start_service(upload_min_bytes_per_second=1_000, request_timeout_seconds=1)
    with ThreadPoolExecutor() as pool:
        with locked(database_url, "songs"):
            upload = pool.submit(api.classify, song_csv(song_rows(5)))
            time.sleep(2)
            assert not upload.done()
        # then
        assert upload.result()["rowsClassified"] == 5


def test_a_minimum_rate_of_zero_disables_the_limit(start_service: StartService) -> None:
    # given a body that takes longer than the time limit
    api = start_service(upload_min_bytes_per_second=0, request_timeout_seconds=1)
    body = json.dumps({"query": "{ __typename }"}).encode()
    headers = {**CREDENTIALS, "content-type": "application/json"}
    response = api.http.post("/graphql", content=trickled(body, 2, 0.1), headers=headers)
    assert response.json() == {"data": {"__typename": "Query"}}


ANSWERED = b"GET /livez HTTP/1.1\r\nhost: here\r\n\r\n"


def test_headers_that_never_end_get_408(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "HEAD_SECONDS", 0.3)
    with connected(api) as connection:
        start = time.monotonic()
        connection.sendall(ANSWERED[:-2])
        for _ in range(10):
            try:
                connection.sendall(b"x: y\r\n")
            except OSError:
                break
            time.sleep(0.05)
        try:
            answer = received_until_closed(connection)
        except ConnectionResetError:
            answer = b"HTTP/1.1 408 Request Timeout\r\n"  # it arrived before our last bytes were sent
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert time.monotonic() - start > 0.2


def test_a_silent_connection_is_closed(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "HEAD_SECONDS", 0.3)
    with connected(api) as connection:
        assert received_until_closed(connection) == b""


def test_each_request_on_a_connection_has_its_own_time_limit(
    api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "HEAD_SECONDS", 1.5)
    with connected(api) as connection:
        for _ in range(3):
            connection.sendall(ANSWERED)
            assert next_response(connection)[0] == 200
            time.sleep(0.8)
        connection.sendall(ANSWERED[:10])
        assert received_until_closed(connection).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


@pytest.mark.parametrize("start", [ANSWERED[:-2] + b"x: ", b"GET /livez?", ANSWERED[:-2] + b"x"])
def test_headers_over_64_kib_end_the_connection(api: ApiClient, start: bytes) -> None:
    with connected(api) as connection:
        connection.sendall(start)
        try:
            for _ in range(200):
                connection.sendall(b"y" * 1024)
            answer = received_until_closed(connection)
        except OSError:
            answer = b""
        # llhttp refuses some itself; what matters is that the connection ends
        assert answer == b"" or answer.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))
    assert api.http.get("/livez").json() == {"status": "alive"}


def test_the_rest_of_a_refused_body_is_discarded_and_the_connection_reused(
    start_service: StartService, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a rest that takes longer than the limit of headers, but arrives fast
    monkeypatch.setattr(servers, "HEAD_SECONDS", 1.0)
    api = start_service(max_upload_bytes=100_000)
    with connected(api) as connection:
        for _ in range(2):
            connection.sendall(
                b"POST /graphql HTTP/1.1\r\nhost: here\r\nclient-id: test\r\nclient-secret: test\r\n"
                b"content-type: application/json\r\ncontent-length: 500000\r\n\r\n"
            )
            status, body = next_response(connection)
            assert status == 413
            assert b"PAYLOAD_TOO_LARGE" in body
            for _ in range(50):
                connection.sendall(bytes(10_000))
                time.sleep(0.03)
            connection.sendall(ANSWERED)
            assert next_response(connection)[0] == 200


def drip(connection: socket.socket, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        connection.sendall(b"x")
        time.sleep(0.02)


def test_the_rest_of_a_refused_body_has_a_time_limit(
    start_service: StartService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "HEAD_SECONDS", 0.3)
    api = start_service(max_upload_bytes=100_000)
    with connected(api) as connection:
        connection.sendall(
            b"POST /graphql HTTP/1.1\r\nhost: here\r\nclient-id: test\r\nclient-secret: test\r\n"
            b"content-type: application/json\r\ncontent-length: 500000\r\n\r\n"
        )
        assert next_response(connection)[0] == 413
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            drip(connection, 60)
