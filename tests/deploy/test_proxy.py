"""The shipped proxy passes events, WebSockets and large uploads unchanged, and blocks the rest."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.conftest import StartService
from tests.support.batches import followed
from tests.support.client import ApiClient
from tests.support.ports import free_port
from tests.support.proxy import nginx
from tests.support.songs import song_csv, song_rows
from tests.support.waiting import eventually
from tests.support.websocket import CREDENTIALS, PROGRESS, greeted, opened, receive, send


@pytest.fixture
def proxied(api: ApiClient, folder: Path) -> Iterator[ApiClient]:
    port = int(api.url.rpartition(":")[2])
    with nginx(folder, ("127.0.0.1",), port) as url, ApiClient(url) as client:
        yield client


def test_the_proxy_passes_events_and_websockets(proxied: ApiClient) -> None:
    # given
    queued = proxied.classify(song_csv(song_rows(3_000)), background=True)
    # when it is followed over server-sent events
    events = followed(proxied, queued["id"])
    # then
    assert events[-1]["status"] == "SUCCEEDED"
    # and over a WebSocket
    with opened(proxied) as connection:
        greeted(connection, CREDENTIALS)
        payload = {"query": PROGRESS, "variables": {"id": queued["id"]}}
        send(connection, type="subscribe", id="1", payload=payload)
        progress = receive(connection)["payload"]["data"]["batchProgress"]
        assert progress == {"status": "SUCCEEDED", "rowsProcessed": 3_000}


def test_the_proxy_passes_files_larger_than_the_default_limit_of_nginx(proxied: ApiClient) -> None:
    file = song_csv(song_rows(2_000))
    assert len(file) > 1024 * 1024
    assert proxied.classify(file)["rowsClassified"] == 2_000


def test_the_proxy_blocks_metrics(proxied: ApiClient) -> None:
    assert httpx.get(f"{proxied.url}/metrics", headers=CREDENTIALS).status_code == 404
    assert httpx.get(f"{proxied.url}/livez").status_code == 200


def test_an_address_with_too_many_connections_is_refused(api: ApiClient, folder: Path) -> None:
    # given two requests whose bodies never arrive
    port = int(api.url.rpartition(":")[2])
    with nginx(folder, ("127.0.0.1",), port, connections=2) as url, ExitStack() as open_ones:
        place = ("127.0.0.1", int(url.rpartition(":")[2]))
        head = "POST /graphql HTTP/1.1\r\nhost: here\r\nclient-id: test\r\nclient-secret: test\r\n"
        for _ in range(2):
            waiting = open_ones.enter_context(socket.create_connection(place))
            waiting.sendall(f"{head}content-type: application/json\r\ncontent-length: 9\r\n\r\n".encode())
        # then
        eventually(lambda: httpx.get(f"{url}/livez").status_code == 429, "a third one is refused")
        open_ones.close()
        # and with one less, there is space
        eventually(lambda: httpx.get(f"{url}/livez").status_code == 200, "it is answered")


def test_http_redirects_to_https(start_service: StartService, folder: Path) -> None:
    # given
    api = start_service(environment="production")
    https = free_port()
    with nginx(folder, ("127.0.0.1",), int(api.url.rpartition(":")[2]), https=https) as url:
        # when
        answer = httpx.get(f"https://127.0.0.1:{https}/livez", verify=False)  # noqa: S501 - self-signed
        # then
        assert answer.headers.get_list("strict-transport-security") == ["max-age=31536000; includeSubDomains"]
        moved = httpx.get(f"{url}/livez")
        assert (moved.status_code, moved.headers["location"]) == (308, "https://127.0.0.1/livez")
