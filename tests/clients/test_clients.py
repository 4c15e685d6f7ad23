"""Clients that are added, rotated and revoked while the service runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from app.clients import directory
from app.clients.administration import ClientAccounts
from app.clients.roles import Role
from app.database.connect import Database
from app.database.engine import connected
from tests.conftest import ExecuteSql, StartService
from tests.support.client import ApiClient
from tests.support.waiting import eventually

Accounts = Callable[[Callable[[ClientAccounts], Any]], Any]


@pytest.fixture
def accounts(database_url: str) -> Accounts:
    """Administer clients from outside the service, as the command does."""

    def call(work: Callable[[ClientAccounts], Any]) -> Any:
        async def run() -> Any:
            async with connected(Database(database_url)) as sessions:
                return await work(ClientAccounts(sessions))

        return asyncio.run(run())

    return call


def status(api: ApiClient, client_id: str, secret: str) -> int:
    headers = {"client-id": client_id, "client-secret": secret}
    return api.http.get("/graphql", params={"query": "{ __typename }"}, headers=headers).status_code


def test_a_client_can_call_right_after_it_was_added(
    start_service: StartService, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a service that has just refreshed its clients, and does not refresh again for a while
    monkeypatch.setattr(directory, "REFRESH_SECONDS", 60.0)
    monkeypatch.setattr(directory, "UNKNOWN_REFRESH_SECONDS", 0.9)
    api = start_service()
    assert status(api, "nightly-2", "guess") == 401
    # when
    secret = accounts(lambda them: them.add("nightly-2", Role.READER))
    # then
    assert status(api, "nightly-2", secret) == 200
    assert status(api, "nightly-2", secret[:-1]) == 401


def test_both_secrets_are_valid_during_the_grace_period(
    api: ApiClient, accounts: Accounts, execute_sql: ExecuteSql
) -> None:
    # given
    old = accounts(lambda them: them.add("script", Role.WRITER))
    # when
    new = accounts(lambda them: them.rotate("script", timedelta(hours=24)))
    # then
    eventually(lambda: status(api, "script", new) == 200, "the new secret is valid")
    assert status(api, "script", old) == 200
    # and a day later
    execute_sql("UPDATE api_client_secrets SET expires_at = now() WHERE expires_at IS NOT NULL")
    eventually(lambda: status(api, "script", old) == 401, "the old secret is not")
    assert status(api, "script", new) == 200


def test_a_secret_expires_even_if_clients_cannot_be_read(
    api: ApiClient, accounts: Accounts, execute_sql: ExecuteSql
) -> None:
    # given a secret that expires soon and was read by the service
    secret = accounts(lambda them: them.add("script", Role.WRITER))

    def is_valid_for_now() -> bool:
        execute_sql("UPDATE api_client_secrets SET expires_at = now() + interval '2 seconds'")
        status(api, "nobody", "unknown")  # answered after the service has read all clients again
        return status(api, "script", secret) == 200

    eventually(is_valid_for_now, "the secret is valid")
    # when
    execute_sql("ALTER TABLE api_clients RENAME TO away")
    # then
    eventually(lambda: status(api, "script", secret) == 401, "the secret has expired")
    assert status(api, "test", "test") == 200


def test_a_revoked_client_is_refused(api: ApiClient, accounts: Accounts) -> None:
    secret = accounts(lambda them: them.add("script", Role.WRITER))
    eventually(lambda: status(api, "script", secret) == 200, "the client can call")

    accounts(lambda them: them.revoke("script"))

    eventually(lambda: status(api, "script", secret) == 401, "the client is refused")


def test_an_open_websocket_of_a_revoked_client_is_refused(api: ApiClient, accounts: Accounts) -> None:
    # given
    secret = accounts(lambda them: them.add("script", Role.WRITER))
    eventually(lambda: status(api, "script", secret) == 200, "the client can call")
    with greeted(api, "script", secret) as ask:
        assert ask("{ __typename }") == {"data": {"__typename": "Query"}}
        # when
        accounts(lambda them: them.revoke("script"))
        eventually(lambda: status(api, "script", secret) == 401, "the client is refused")
        # then
        (error,) = ask("{ genres { name } }")
        assert error["message"] == "Your credentials are no longer valid. Reconnect with valid credentials."
        assert error["extensions"] == {"code": "FORBIDDEN"}


@contextmanager
def greeted(api: ApiClient, client_id: str, secret: str) -> Iterator[Callable[[str], Any]]:
    """Open a WebSocket; yields a function that sends a query and returns the first payload."""
    url = api.url.replace("http://", "ws://") + "/graphql"
    with connect(url, subprotocols=["graphql-transport-ws"]) as connection:  # type: ignore[list-item]
        credentials = {"client-id": client_id, "client-secret": secret}
        connection.send(json.dumps({"type": "connection_init", "payload": credentials}))
        assert json.loads(connection.recv(timeout=30))["type"] == "connection_ack"
        numbers = iter(range(100))

        def ask(query: str) -> Any:
            number = str(next(numbers))
            connection.send(json.dumps({"type": "subscribe", "id": number, "payload": {"query": query}}))
            while (message := json.loads(connection.recv(timeout=30)))["type"] == "complete":
                pass
            assert message["id"] == number
            return message["payload"]

        yield ask


def test_a_changed_clients_file_is_read_again(start_service: StartService, tmp_path: Path) -> None:
    # given
    path = tmp_path / "clients"
    path.write_text("# of the secrets manager\n\nscript:old\n")
    api = start_service(clients_file=path)
    assert (status(api, "script", "old"), status(api, "test", "test")) == (200, 200)
    # when it is replaced like a mounted secret
    (tmp_path / "next").write_text("script:old\nscript:new:reader\n")
    (tmp_path / "next").replace(path)
    # then
    eventually(lambda: status(api, "script", "new") == 200, "the new secret is valid")
    assert status(api, "script", "old") == 200
    # and an unreadable file changes nothing
    (tmp_path / "next").write_text("script\n")
    (tmp_path / "next").replace(path)
    assert status(api, "script", "guess") == 401
    assert status(api, "script", "new") == 200


def test_the_last_use_of_a_client_is_stored(api: ApiClient, accounts: Accounts) -> None:
    secret = accounts(lambda them: them.add("script", Role.WRITER))
    accounts(lambda them: them.add("idle", Role.WRITER))
    eventually(lambda: status(api, "script", secret) == 200, "the client can call")

    def is_stored() -> bool:
        return [account.last_used_at is not None for account in accounts(ClientAccounts.all)] == [False, True]

    eventually(is_stored, "its use is stored")
