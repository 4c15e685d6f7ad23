"""What must pass the shipped proxy as it comes: events, WebSockets, large uploads; and what must not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.test_background_batches import followed
from tests.client import ApiClient
from tests.deploy.proxy import nginx
from tests.factories.songs import song_csv, song_rows
from tests.http.test_websocket import CREDENTIALS, PROGRESS, greeted, opened, receive, send


@pytest.fixture
def proxied(api: ApiClient, folder: Path) -> Iterator[ApiClient]:
    port = int(api.url.rpartition(":")[2])
    with nginx(folder, ("127.0.0.1",), port) as url, ApiClient(url) as client:
        yield client


def test_events_and_websockets_pass(proxied: ApiClient) -> None:
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


def test_a_file_larger_than_nginxs_own_limit_passes(proxied: ApiClient) -> None:
    file = song_csv(song_rows(2_000))
    assert len(file) > 1024 * 1024
    assert proxied.classify(file)["rowsClassified"] == 2_000


def test_figures_do_not_pass(proxied: ApiClient) -> None:
    assert httpx.get(f"{proxied.url}/metrics", headers=CREDENTIALS).status_code == 404
    assert httpx.get(f"{proxied.url}/livez").status_code == 200
