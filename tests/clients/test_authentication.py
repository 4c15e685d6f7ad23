from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Any

import pytest

from app.clients import directory as client_directory
from app.clients.credentials import ClientsError, Credential, parse_clients
from app.clients.roles import Role
from tests.conftest import StartService
from tests.support.client import ApiClient

UNAUTHENTICATED = "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "Send the headers client-id and client-secret."),
        ({"client-id": "test"}, "Send the headers client-id and client-secret."),
        ({"client-id": "test", "client-secret": ""}, "Send the headers client-id and client-secret."),
        ({"client-id": "test", "client-secret": "guess"}, "The client-id or client-secret is wrong."),
        ({"client-id": "stranger", "client-secret": "test"}, "The client-id or client-secret is wrong."),
    ],
)
def test_missing_or_wrong_credentials_get_401_and_a_graphql_error(
    api: ApiClient, headers: dict[str, str], message: str
) -> None:
    # given
    del api.http.headers["client-id"], api.http.headers["client-secret"]
    for method, path in (("POST", "/graphql"), ("GET", "/graphql"), ("GET", "/elsewhere")):
        # when
        response = api.http.request(method, path, headers=headers)
        # then
        assert response.status_code == 401
        assert response.json() == {"errors": [{"message": message, "extensions": {"code": UNAUTHENTICATED}}]}
        assert response.headers["www-authenticate"] == 'Client-Credentials realm="genregraph"'


def test_both_secrets_of_a_client_are_valid_while_they_are_rotated(api: ApiClient) -> None:
    for secret in ("first", "second"):
        with ApiClient(api.url, "nightly", secret) as nightly:
            assert nightly.execute("{ __typename }") == {"__typename": "Query"}


@pytest.mark.parametrize("path", ["/livez", "/healthcheck"])
def test_the_health_checks_are_open(api: ApiClient, path: str) -> None:
    del api.http.headers["client-id"], api.http.headers["client-secret"]
    assert api.http.get(path).status_code == 200


@pytest.mark.parametrize(
    ("text", "client_id", "secret", "role"),
    [
        ("a:b:c", "a", "b:c", Role.WRITER),
        ("a:b:reader", "a", "b", Role.READER),
        ("a:reader", "a", "reader", Role.WRITER),
        (" a:b , c:d:admin", "c", "d", Role.ADMIN),
        ("a:first,a:second:reader", "a", "first", Role.READER),
        ("a:hunter:wrtier:writer", "a", "hunter:wrtier", Role.WRITER),
        ("a:correct:horse:rider", "a", "correct:horse:rider", Role.WRITER),
        (f"a:sha256${sha256(b'b').hexdigest()}", "a", "b", Role.WRITER),
        (f"a:sha256${sha256(b'b').hexdigest()}:admin", "a", "b", Role.ADMIN),
    ],
)
def test_a_client_is_written_as_id_secret_and_role(
    text: str, client_id: str, secret: str, role: Role
) -> None:
    assert Credential(client_id, role, sha256(secret.encode()).digest()) in parse_clients(text.split(","))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("alone", "Entry 1 is not of the form"),
        ("a:", "Entry 1 is not of the form"),
        (":b", "Entry 1 is not of the form"),
        ("a:hunter2,,", "Entry 2 is not of the form"),
        ("", "Entry 1 is not of the form"),
        (
            "'a':hunter2",
            "The id in entry 1 has spaces, quotes or other characters",
        ),
        (
            '"a:hunter2,b:c"',
            "The id in entry 1 has spaces, quotes or other characters",
        ),
        (
            "a b:hunter2",
            "The id in entry 1 has spaces, quotes or other characters",
        ),
        ("é:hunter2", "The id in entry 1 has spaces, quotes or other characters"),
        (
            "a: hunter2",
            "The secret in entry 1 starts or ends with a space or has",
        ),
        (
            "a:huntér2",
            "The secret in entry 1 starts or ends with a space or has",
        ),
        ("a:sha256$hunter2", "Entry 1 needs 64 hexadecimal digits after"),
        (
            "a:hunter2:reader,a:hunter3:admin",
            "Entry 2 gives its client another role than an earlier entry",
        ),
        ("a:hunter2:wrtier", "Entry 1 ends with what looks like a misspelt role: did you mean :writer?"),
        ("a:hunter2,b:hunter3:Admin", "Entry 2 ends with what looks like a misspelt role"),
        ("a:hunter2:read", "Entry 1 ends with what looks like a misspelt role: did you mean :reader?"),
    ],
)
def test_an_invalid_list_of_clients_is_an_error_without_secrets(text: str, problem: str) -> None:
    with pytest.raises(ClientsError) as refused:
        parse_clients(text.split(","))
    assert problem in str(refused.value)
    assert "hunter" not in str(refused.value)


def test_right_and_wrong_credentials_cost_the_same_comparisons(
    api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given the client nightly with two secrets, and test with one
    monkeypatch.setattr(client_directory, "UNKNOWN_WAIT_SECONDS", 0)
    compared: list[tuple[Any, Any]] = []
    compare = hmac.compare_digest

    def counting(*pair: Any) -> bool:
        compared.append(pair)
        return compare(*pair)

    monkeypatch.setattr(hmac, "compare_digest", counting)
    counts = set()
    # when
    for client_id, secret in (("test", "test"), ("nightly", "second"), ("nightly", "x"), ("nobody", "x")):
        compared.clear()
        api.http.get("/graphql", headers={"client-id": client_id, "client-secret": secret})
        counts.add(len(compared))
    # then
    assert counts == {2}


def test_too_many_wrong_secrets_get_429_for_their_address_only(start_service: StartService) -> None:
    # given
    api = start_service(login_attempts_per_minute=3)
    guess = {"client-id": "test", "client-secret": "guess"}
    # when
    statuses = [api.http.get("/graphql", headers=guess).status_code for _ in range(4)]
    refused = api.http.get("/graphql")  # the right secret, but the address is over the limit
    # then
    assert statuses == [401, 401, 401, 429]
    assert refused.status_code == 429
    wait = int(refused.headers["retry-after"])
    assert 1 <= wait <= 60
    assert refused.json() == {
        "errors": [
            {
                "message": f"Too many wrong credentials; try again in {wait} seconds.",
                "extensions": {"code": "RATE_LIMITED"},
            }
        ]
    }
    with ApiClient(api.url, "nightly", "first") as nightly:
        assert nightly.execute("{ __typename }") == {"__typename": "Query"}


def test_wrong_secrets_are_limited_over_all_clients_of_an_address(start_service: StartService) -> None:
    api = start_service(login_attempts_per_minute=1)

    statuses = [
        api.http.get("/graphql", headers={"client-id": f"client-{n}", "client-secret": "x"}).status_code
        for n in range(11)
    ]

    assert statuses == [401] * 10 + [429]
