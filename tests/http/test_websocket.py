"""Authentication and messages over graphql-transport-ws."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from tests.conftest import StartService
from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_rows
from tests.support.websocket import CREDENTIALS, PROGRESS, greeted, opened, receive, send


def test_a_websocket_accepts_credentials_in_the_first_message(api: ApiClient) -> None:
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


def test_a_websocket_accepts_credentials_in_headers(api: ApiClient) -> None:
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


def test_operations_before_connection_init_are_refused(api: ApiClient) -> None:
    with opened(api) as connection:
        send(connection, type="subscribe", id="1", payload={"query": "{ genres { name } }"})
        with pytest.raises(ConnectionClosed) as caught:
            receive(connection)

    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 4401


def test_a_page_of_another_origin_cannot_open_a_websocket(start_service: StartService) -> None:
    api = start_service(cors_origins=("https://music.example",))

    with pytest.raises(InvalidStatus) as caught, opened(api, origin="https://evil.example"):
        pass
    assert caught.value.response.status_code == 403

    with opened(api, origin="https://music.example") as connection:
        greeted(connection, CREDENTIALS)


def test_each_query_on_a_websocket_reads_current_data(api: ApiClient) -> None:
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


def test_the_connection_init_payload_can_be_null(shared_api: ApiClient) -> None:
    with opened(shared_api, additional_headers=CREDENTIALS) as connection:
        send(connection, type="connection_init", payload=None)
        assert receive(connection) == {"type": "connection_ack"}


@pytest.mark.parametrize("name", ["client-id", "client-secret"])
@pytest.mark.parametrize("wrong", ["\ud800", "nul \0", "é"])
def test_credentials_of_any_characters_are_refused(shared_api: ApiClient, name: str, wrong: str) -> None:
    with opened(shared_api) as connection:
        send(connection, type="connection_init", payload={**CREDENTIALS, name: wrong})
        assert closed(connection) == (4403, "Forbidden")


def test_a_null_connection_init_payload_is_not_authenticated(shared_api: ApiClient) -> None:
    with opened(shared_api) as connection:
        send(connection, type="connection_init", payload=None)
        assert closed(connection) == (4403, "Forbidden")


@pytest.mark.parametrize(
    "message",
    [
        {"id": "1", "payload": None},
        {"id": "1"},
        {"id": "1", "payload": {}},
        {"id": "1", "payload": {"query": 7}},
        {"id": "1", "payload": {"query": "{__typename}", "variables": []}},
        {"id": 1, "payload": {"query": "{__typename}"}},
        {"payload": {"query": "{__typename}"}},
    ],
)
def test_a_malformed_subscribe_message_is_refused_with_the_expected_form(
    shared_api: ApiClient, message: dict[str, Any]
) -> None:
    with opened(shared_api, additional_headers=CREDENTIALS) as connection:
        greeted(connection)
        send(connection, type="subscribe", **message)
        assert closed(connection) == (
            4400,
            'A subscribe message needs an "id" and a "payload" with a "query".',
        )


def test_null_members_of_a_subscribe_payload_are_ignored(shared_api: ApiClient) -> None:
    payload = {"query": "{ __typename }", "variables": None, "operationName": None, "extensions": None}
    with opened(shared_api, additional_headers=CREDENTIALS) as connection:
        greeted(connection)
        for id_, name in (("1", None), ("2", "")):
            send(connection, type="subscribe", id=id_, payload={**payload, "operationName": name})
            assert receive(connection)["payload"] == {"data": {"__typename": "Query"}}
            assert receive(connection)["type"] == "complete"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"query": "query A { __typename } query B { __typename }"}, "OPERATION_RESOLUTION_FAILURE"),
        ({"query": "query A { __typename }", "operationName": "B"}, "OPERATION_RESOLUTION_FAILURE"),
        ({"query": "fragment F on Query { __typename }"}, "OPERATION_RESOLUTION_FAILURE"),
        (
            {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "x"}}},
            "PERSISTED_QUERY_NOT_SUPPORTED",
        ),
        ({"query": "{"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ " + "x" * 500 + " ) }"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ \ud83d )" + "é" * 500}, "GRAPHQL_PARSE_FAILED"),
        ({"query": ""}, "BAD_REQUEST"),
    ],
)
def test_a_request_error_ends_its_operation_but_not_the_connection(
    shared_api: ApiClient, payload: dict[str, Any], code: str
) -> None:
    with opened(shared_api, additional_headers=CREDENTIALS) as connection:
        greeted(connection)
        send(connection, type="subscribe", id="1", payload=payload)
        message = receive(connection)
        assert (message["type"], message["id"]) == ("error", "1")
        assert message["payload"][0]["extensions"]["code"] == code
        send(connection, type="subscribe", id="1", payload={"query": "{ __typename }"})
        assert receive(connection)["type"] == "next"


def test_a_websocket_message_can_start_with_a_byte_order_mark(shared_api: ApiClient) -> None:
    with opened(shared_api, additional_headers=CREDENTIALS) as connection:
        connection.send("\ufeff" + json.dumps({"type": "connection_init"}))
        assert receive(connection)["type"] == "connection_ack"


def closed(connection: ClientConnection) -> tuple[int, str]:
    """Return the code and reason with which the service closes a connection."""
    with pytest.raises(ConnectionClosed) as caught:
        receive(connection)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason
