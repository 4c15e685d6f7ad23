"""Limits on a client's concurrent uploads, subscriptions and WebSockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.conftest import StartService
from tests.http.conftest import LogLines
from tests.support.client import CLASSIFY_BATCH, ApiClient, upload_parts
from tests.support.songs import song_csv, song_rows
from tests.support.waiting import eventually
from tests.support.websocket import CREDENTIALS, PROGRESS, greeted, opened, receive, send


@contextmanager
def partial_upload(api: ApiClient) -> Iterator[tuple[socket.socket, bytes]]:
    """Start an upload; yields its connection and the rest of its body."""
    request = httpx.Request(
        "POST",
        f"{api.url}/graphql",
        headers={**CREDENTIALS, "graphql-preflight": "1"},
        files=upload_parts(CLASSIFY_BATCH, song_csv(song_rows(3))),
    )
    body = request.read()
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    head = "\r\n".join(["POST /graphql HTTP/1.1", *lines, "", ""]).encode()
    address = httpx.URL(api.url)
    with socket.create_connection((address.host, address.port or 0), timeout=30) as connection:
        connection.sendall(head + body[:500])
        yield connection, body[500:]


def upload_until(api: ApiClient, status: int) -> httpx.Response:
    """Upload until a response has this status: an upload that just ended may still be counted."""
    answers: list[httpx.Response] = []

    def has_status() -> bool:
        answers.append(api.upload(song_csv(song_rows(3))))
        return answers[-1].status_code == status

    eventually(has_status, f"an upload gets {status}")
    return answers[-1]


def test_an_upload_over_the_limit_gets_429_until_another_ends(start_service: StartService) -> None:
    # given
    api = start_service(max_uploads_per_client=2)
    with ExitStack() as under_way:
        (first, rest), _ = (under_way.enter_context(partial_upload(api)) for _ in range(2))
        # when
        response = upload_until(api, 429)
        # then
        assert response.headers["retry-after"] == "5"
        assert response.json() == {
            "errors": [
                {
                    "message": "This client has reached its limit of 2 concurrent uploads. "
                    "Try again when one has finished.",
                    "extensions": {"code": "TOO_MANY_UPLOADS"},
                }
            ]
        }
        assert api.execute("{ __typename }") == {"__typename": "Query"}
        with ApiClient(api.url, "nightly", "first") as other:
            assert other.upload(song_csv(song_rows(3))).status_code == 200
        # when
        first.sendall(rest)
        assert first.recv(12) == b"HTTP/1.1 200"
        upload_until(api, 200)


def test_an_aborted_upload_releases_its_quota(start_service: StartService) -> None:
    api = start_service(max_uploads_per_client=1)
    with partial_upload(api):
        upload_until(api, 429)
    upload_until(api, 200)


def subscribe(connection: Any, operation_id: str, batch_id: str) -> dict[str, Any]:
    payload = {"query": PROGRESS, "variables": {"id": batch_id}}
    send(connection, type="subscribe", id=operation_id, payload=payload)
    return receive(connection)


@pytest.fixture
def queued(start_service: StartService) -> tuple[ApiClient, str]:
    """A service with a limit of two subscriptions per client, and a batch that stays queued."""
    api = start_service(max_subscriptions_per_client=2, worker_concurrency=0)
    return api, str(api.classify(song_csv(song_rows(3)), background=True)["id"])


def test_the_subscription_limit_covers_all_websockets_of_a_client(queued: tuple[ApiClient, str]) -> None:
    api, batch = queued
    with opened(api) as one, opened(api) as two:
        greeted(one, CREDENTIALS)
        greeted(two, CREDENTIALS)
        assert subscribe(one, "1", batch)["type"] == "next"
        assert subscribe(two, "1", batch)["type"] == "next"
        # then
        assert subscribe(two, "2", batch) == {
            "id": "2",
            "type": "error",
            "payload": [
                {
                    "message": "This client has reached its limit of 2 concurrent subscriptions. "
                    "Try again when one has finished.",
                    "extensions": {"code": "TOO_MANY_SUBSCRIPTIONS"},
                }
            ],
        }
        # when one of them ends
        send(one, type="complete", id="1")
        send(one, type="ping")
        assert receive(one)["type"] == "pong"
        eventually(lambda: subscribe(two, "3", batch)["type"] == "next", "another can start")


def test_event_streams_over_the_subscription_limit_get_429(queued: tuple[ApiClient, str]) -> None:
    api, batch = queued
    body = {"query": PROGRESS, "variables": {"id": batch}}
    headers = {"accept": "text/event-stream"}
    with (
        api.http.stream("POST", "/graphql", json=body, headers=headers) as one,
        api.http.stream("POST", "/graphql", json=body, headers=headers) as two,
    ):
        assert (one.status_code, two.status_code) == (200, 200)
        response = api.http.post("/graphql", json=body, headers=headers)
        assert response.status_code == 429
        assert response.headers["retry-after"] == "5"
        assert response.json()["errors"][0]["extensions"]["code"] == "TOO_MANY_SUBSCRIPTIONS"
        with opened(api) as connection:
            greeted(connection, CREDENTIALS)
            assert subscribe(connection, "1", batch)["type"] == "error"


def is_accepted(api: ApiClient) -> bool:
    with opened(api) as connection:
        send(connection, type="connection_init", payload=CREDENTIALS)
        try:
            return bool(receive(connection)["type"] == "connection_ack")
        except ConnectionClosed:
            return False


def test_a_websocket_over_the_limit_is_closed(queued: tuple[ApiClient, str]) -> None:
    api, _ = queued
    with opened(api) as one, opened(api) as two:
        greeted(one, CREDENTIALS)
        greeted(two, CREDENTIALS)
        with opened(api) as third:
            send(third, type="connection_init", payload=CREDENTIALS)
            with pytest.raises(ConnectionClosed) as caught:
                receive(third)
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4429, "Too many connections")
        with opened(api) as other:
            greeted(other, {"client-id": "nightly", "client-secret": "second"})
    eventually(lambda: is_accepted(api), "another can connect")


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "1",
        '{"type": []}',
        '{"type": "subscribe", "id": "1", "payload": null}',
        '{"type": "subscribe", "id": [], "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "variables": []}}',
        '{"type": "' + "x" * 500 + '"}',
        "[" * 100_000,
        "1" * 5_000,
        '"' + "x" * 17 * 2**20 + '"',
    ],
    ids=range(11),
)
def test_an_invalid_message_closes_only_its_websocket(api: ApiClient, text: str, log_lines: LogLines) -> None:
    with opened(api) as connection:
        greeted(connection, CREDENTIALS)
        connection.send(text)
        with pytest.raises(ConnectionClosed) as caught:
            receive(connection)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == (1009 if len(text) > 2**24 else 4400)
    assert not [line for line in log_lines() if line["level"] in {"error", "critical"}]
