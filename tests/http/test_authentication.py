from __future__ import annotations

import pytest

from app.http.clients import Clients, ClientsError
from tests.client import ApiClient

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


def test_a_secret_may_hold_a_colon() -> None:
    clients = Clients.parse("a:b:c, d:e")
    assert (clients.knows("a", "b:c"), clients.knows("a", "b"), clients.knows("d", "e")) == (
        True,
        False,
        True,
    )
    assert len(clients) == 2


@pytest.mark.parametrize("text", ["alone", "a:", ":b", "a:hunter2,,", ""])
def test_a_list_of_clients_that_cannot_be_read_is_an_error_without_secrets(text: str) -> None:
    with pytest.raises(ClientsError, match=r"entry [123] is not of the form") as refused:
        Clients.parse(text)
    assert "hunter2" not in str(refused.value)
