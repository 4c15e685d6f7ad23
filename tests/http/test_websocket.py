"""Subscriptions over graphql-transport-ws: who may open one, and what comes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.client import ApiClient
from tests.conftest import StartService
from tests.factories.songs import song_csv, song_rows

PROGRESS = "subscription ($id: ID!) { batchProgress(id: $id) { status rowsProcessed } }"
CREDENTIALS = {"client-id": "test", "client-secret": "test"}


@contextmanager
def opened(api: ApiClient, **options: Any) -> Iterator[ClientConnection]:
    url = api.url.replace("http://", "ws://") + "/graphql"
    with connect(url, subprotocols=["graphql-transport-ws"], **options) as connection:  # type: ignore[list-item]
        yield connection


def send(connection: ClientConnection, **message: Any) -> None:
    connection.send(json.dumps(message))


def receive(connection: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(connection.recv(timeout=30))
    return message


def greeted(connection: ClientConnection, payload: dict[str, Any] | None = None) -> None:
    send(connection, type="connection_init", payload=payload or {})
    assert receive(connection)["type"] == "connection_ack"


def test_credentials_may_come_in_the_first_message(api: ApiClient) -> None:
    # given
    queued = api.classify(song_csv(song_rows(3_000)), background=True)
    # when
    with opened(api) as connection:
        greeted(connection, CREDENTIALS)
        variables = {"id": queued["id"]}
        send(connection, type="subscribe", id="1", payload={"query": PROGRESS, "variables": variables})
        messages = []
        while (message := receive(connection))["type"] == "next":
            messages.append(message["payload"]["data"]["batchProgress"])
    # then
    assert message == {"type": "complete", "id": "1"}
    assert messages[-1] == {"status": "SUCCEEDED", "rowsProcessed": 3_000}


def test_credentials_may_come_in_headers(api: ApiClient) -> None:
    with opened(api, additional_headers=CREDENTIALS) as connection:
        greeted(connection)


def test_wrong_headers_are_refused_before_the_handshake(api: ApiClient) -> None:
    headers = {**CREDENTIALS, "client-secret": "wrong"}

    with pytest.raises(InvalidStatus) as caught, opened(api, additional_headers=headers):
        pass

    assert caught.value.response.status_code == 403


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"client-id": "test"},
        {"client-id": "test", "client-secret": "wrong"},
        {"client-id": ["test"], "client-secret": {"test": 1}},
    ],
)
def test_without_credentials_the_connection_is_closed(api: ApiClient, payload: dict[str, Any]) -> None:
    with opened(api) as connection:
        send(connection, type="connection_init", payload=payload)
        with pytest.raises(ConnectionClosed) as caught:
            receive(connection)

    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 4403


def test_nothing_is_answered_before_the_first_message(api: ApiClient) -> None:
    with opened(api) as connection:
        send(connection, type="subscribe", id="1", payload={"query": "{ genres { name } }"})
        with pytest.raises(ConnectionClosed) as caught:
            receive(connection)

    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 4401


def test_another_sites_page_may_not_connect(start_service: StartService) -> None:
    api = start_service(cors_origins=("https://music.example",))

    with pytest.raises(InvalidStatus) as caught, opened(api, origin="https://evil.example"):
        pass
    assert caught.value.response.status_code == 403

    with opened(api, origin="https://music.example") as connection:
        greeted(connection, CREDENTIALS)


def test_a_query_later_on_the_same_connection_sees_what_was_stored_since(api: ApiClient) -> None:
    # given
    query = {"query": "{ genres { songCount } }"}
    with opened(api) as connection:
        greeted(connection, CREDENTIALS)
        send(connection, type="subscribe", id="1", payload=query)
        assert receive(connection)["payload"]["data"] == {"genres": []}
        assert receive(connection)["type"] == "complete"
        # when
        api.classify(song_csv(song_rows(5)))
        send(connection, type="subscribe", id="2", payload=query)
        # then
        genres = receive(connection)["payload"]["data"]["genres"]
        assert sum(genre["songCount"] for genre in genres) == 5
