"""Clients that hold a connection open by sending next to nothing."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.client import CLASSIFY_BATCH, ApiClient, upload_parts
from tests.conftest import StartService
from tests.factories.songs import song_csv, song_rows
from tests.http.test_websocket import CREDENTIALS


def trickled(body: bytes, size: int, pause: float) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]
        time.sleep(pause)


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
def test_a_body_that_comes_too_slowly_is_cut_with_408(start_service: StartService, kind: str) -> None:
    # given a floor of 1,000 bytes in half a second
    api = start_service(upload_min_bytes_per_second=2_000, request_timeout_seconds=0.5)
    if kind == "multipart":
        request = upload_request(api)
        content, headers = request.content, dict(request.headers)
    else:
        content = json.dumps({"query": "{ __typename }" + " " * 10_000}).encode()
        headers = {**api.http.headers, "content-type": "application/json"}
    head = {name: value for name, value in headers.items() if name != "transfer-encoding"}
    head["content-length"] = str(len(content))
    # when 500 bytes come in half a second
    start = time.monotonic()
    address = httpx.URL(api.url)
    lines = [f"{name}: {value}" for name, value in head.items()]
    with socket.create_connection((address.host, address.port or 0), timeout=10) as connection:
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
        answer = b""
        while part := connection.recv(65_536):
            answer += part
        ended.set()
        thread.join()
    # then
    assert 0.4 < time.monotonic() - start < 5
    head_of_answer, _, body = answer.partition(b"\r\n\r\n")
    assert head_of_answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in head_of_answer.lower()
    assert json.loads(body) == {
        "errors": [
            {
                "message": "The request came more slowly than 2,000 bytes a second, averaged over "
                "0.5 seconds.",
                "extensions": {"code": "REQUEST_TIMEOUT"},
            }
        ]
    }
    assert api.execute("{ batches { totalCount } }") == {"batches": {"totalCount": 0}}


def test_a_slow_but_steady_upload_goes_through(start_service: StartService) -> None:
    # given an upload that takes several times the time over which its speed is averaged
    api = start_service(upload_min_bytes_per_second=1_000, request_timeout_seconds=0.5)
    request = upload_request(api)
    size = len(request.content) // 20
    # when
    start = time.monotonic()
    response = api.http.post(
        "/graphql", content=trickled(request.content, size, 0.1), headers=request.headers
    )
    # then
    assert time.monotonic() - start > 1.5
    assert response.json()["data"]["classifyBatch"]["rowsClassified"] == 20


def test_the_time_that_the_service_takes_does_not_count(start_service: StartService) -> None:
    # given a pause in which nothing is read, since the client waits for the answer
    api = start_service(upload_min_bytes_per_second=1_000_000, request_timeout_seconds=0.2)
    assert api.classify(song_csv(song_rows(500)))["rowsClassified"] == 500


def test_a_floor_of_zero_lets_any_speed_through(start_service: StartService) -> None:
    api = start_service(upload_min_bytes_per_second=0, request_timeout_seconds=0.1)
    body = json.dumps({"query": "{ __typename }"}).encode()
    headers = {**CREDENTIALS, "content-type": "application/json"}
    response = api.http.post("/graphql", content=trickled(body, 2, 0.05), headers=headers)
    assert response.json() == {"data": {"__typename": "Query"}}
