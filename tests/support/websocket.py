"""A client of subscriptions over graphql-transport-ws."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.support.client import ApiClient

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
