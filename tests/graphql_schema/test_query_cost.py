"""The cost limit of operations, which is checked before they run."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from graphql import get_introspection_query

from app.settings import Settings
from tests.conftest import StartService
from tests.support.client import ApiClient
from tests.support.programs import ROOT
from tests.support.songs import song
from tests.support.websocket import CREDENTIALS, greeted, opened, receive, send

OPERATIONS = ROOT / "app/playground/src/page/operations.graphql"

EVERYTHING_OF_A_SONG = """
{
  id trackId title confidence confident modelVersion classifiedAt genre { name }
  probabilities { genre probability } batch { fileName minConfidence }
}
"""

LIMIT = Settings(_env_file=None).max_query_cost


def refusal(api: ApiClient, query: str, **variables: Any) -> dict[str, Any]:
    """Return the error of an operation that must exceed the cost limit."""
    response = api.post(query, variables)
    assert response.status_code == 400
    body = response.json()
    assert body.keys() == {"errors"}
    (error,) = body["errors"]
    assert error["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    return dict(error)


def cost(start_service: StartService, query: str, **variables: Any) -> int:
    """Return the cost of an operation, as reported by a service with a low limit."""
    return int(refusal(start_service(max_query_cost=1_000), query, **variables)["extensions"]["cost"])


def test_a_query_over_the_cost_limit_is_refused_with_cost_and_limit(
    api: ApiClient, statements: list[str]
) -> None:
    # given 100 batches with 1,000 songs each
    query = "{ batches(first: 100) { nodes { songs(first: 1000) { nodes { trackId } } } } }"
    statements.clear()
    # then: batches 51, nodes 1, and 100 times: songs 51, nodes 1, 1,000 ids
    assert refusal(api, query) == {
        "message": "Query cost 105,252 exceeds the limit of 50,000. Reduce `first` or select fewer fields.",
        "extensions": {"code": "QUERY_TOO_COMPLEX", "cost": 105_252, "limit": 50_000},
    }
    assert not [statement for statement in statements if "FROM batches" in statement]


@pytest.mark.parametrize(
    "query",
    [
        f"{{ songs(first: 1000) {{ totalCount nodes {EVERYTHING_OF_A_SONG} }} }}",
        f"{{ songs(first: 1000) {{ pageInfo {{ endCursor }} edges {{ node {EVERYTHING_OF_A_SONG} }} }} }}",
        "{ genres { name songCount songs(first: 1000) { nodes { trackId title } } } }",
        "{ batches(first: 1000) { nodes { id fileName status genres { songCount genre { name } } } } }",
        get_introspection_query(),
    ],
)
def test_typical_queries_are_within_the_cost_limit(api: ApiClient, query: str) -> None:
    assert "errors" not in api.post(query).json()


def test_the_queries_of_the_page_are_within_the_cost_limit(start_service: StartService) -> None:
    # given a third of the limit, and the page's own operations at their largest
    api = start_service(max_query_cost=LIMIT // 3)
    document = OPERATIONS.read_text(encoding="utf-8")
    for name in re.findall(r"^query (\w+)", document, re.MULTILINE):
        # when
        content = {"query": document, "operationName": name, "variables": {"first": 1000, "count": True}}
        response = api.http.post("/graphql", json=content)
        # then: only the missing ids are reported
        codes = {error["extensions"]["code"] for error in response.json().get("errors", [])}
        assert codes <= {"BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"}, (name, response.text)


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("{ songs(first: 500) { nodes { trackId title } } }", {}),
        ("{ one: songs(first: 250) { nodes { trackId } } two: songs(first: 742) { nodes { trackId } } }", {}),
        ("query ($n: Int) { songs(first: $n) { nodes { trackId title } } }", {"n": 500}),
        ("query ($n: Int = 500) { songs(first: $n) { nodes { trackId title } } }", {}),
        ("query ($n: Int) { songs(first: $n) { nodes { trackId title } } }", {"n": 500.0}),
        ("{ songs(first: 500) { ...Page } } fragment Page on SongConnection { nodes { trackId title } }", {}),
        ("{ songs(first: 500) { ... { nodes { trackId ... on Song { title } } } } }", {}),
        ("{ songs(first: 500) { nodes { trackId title @include(if: false) } } }", {}),
        ("query ($s: Boolean!) { songs(first: 500) { nodes { trackId title @skip(if: $s) } } }", {"s": True}),
    ],
)
def test_a_page_costs_the_same_whether_first_is_a_literal_a_variable_or_a_default(
    start_service: StartService, query: str, variables: dict[str, Any]
) -> None:
    assert cost(start_service, query, **variables) in {1_052, 1_096}


def test_the_cost_of_a_query_depends_on_its_variables(api: ApiClient) -> None:
    # given a document that has been validated and cached
    query = "query ($n: Int) { batches(first: $n) { nodes { songs(first: $n) { nodes { trackId } } } } }"
    assert "errors" not in api.post(query, {"n": 10}).json()
    # then
    assert refusal(api, query, n=1_000)["extensions"]["cost"] == 1_052_052
    assert "errors" not in api.post(query, {"n": 10}).json()


def test_an_invalid_first_costs_as_much_as_the_maximum(start_service: StartService) -> None:
    query = "query ($n: Int) { songs(first: $n) { nodes { trackId } } }"
    for wrong in (-1, 1_001, 10**30, "many", [1]):
        assert cost(start_service, query, n=wrong) == 1_052, wrong


def test_the_cost_of_songs_sent_as_json_depends_on_their_number(start_service: StartService) -> None:
    query = """mutation ($input: ClassifySongsInput!) {
      classifySongs(input: $input) { ... on ClassifiedSongs { songs { trackId title genre { name } } } }
    }"""
    api = start_service(max_query_cost=1_000)
    assert "errors" not in api.post(query, {"input": {"songs": [song() for _ in range(200)]}}).json()
    error = refusal(api, query, input={"songs": [song() for _ in range(300)]})
    assert error["extensions"]["cost"] == 1 + 1 + 300 * 4


def spreading_twice(count: int, spread: str) -> str:
    """Return fragments that spread the next one twice each: expanded naively, they are 2^count."""
    fragments = [f"fragment F{n} on Query {{ {spread.format(n + 1) * 2} }}" for n in range(count)]
    return " ".join(["{ ...F0 }", *fragments, f"fragment F{count} on Query {{ genres {{ name }} }}"])


@pytest.mark.parametrize(
    "query",
    [
        spreading_twice(75, "...F{0} "),
        spreading_twice(45, "... {{ ...F{0} }} "),
        spreading_twice(25, "... on Query @include(if: true) {{ ...F{0} }} "),
    ],
)
def test_nested_fragments_are_refused_in_linear_time(api: ApiClient, query: str) -> None:
    start = time.monotonic()
    assert refusal(api, query)["extensions"]["cost"] == min(11 * 2 ** (query.count("fragment ") - 1), 10**15)
    assert time.monotonic() - start < 10


def test_cyclic_fragments_are_refused(api: ApiClient) -> None:
    query = "{ ...A } fragment A on Query { ...B ...B } fragment B on Query { ...A genres { name } }"
    (error,) = api.errors(query)
    assert error["message"] == "Cannot spread fragment 'A' within itself via 'B'."


def test_a_costly_operation_on_a_websocket_does_not_close_it(api: ApiClient) -> None:
    query = "{ batches(first: 100) { nodes { songs(first: 1000) { nodes { trackId } } } } }"
    with opened(api) as connection:
        greeted(connection, CREDENTIALS)
        send(connection, type="subscribe", id="1", payload={"query": query})
        answer = receive(connection)
        assert (answer["type"], answer["id"]) == ("error", "1")
        assert answer["payload"][0]["extensions"]["cost"] == 105_252
        send(connection, type="subscribe", id="2", payload={"query": "{ __typename }"})
        assert receive(connection)["payload"]["data"] == {"__typename": "Query"}


def test_a_costly_operation_in_an_event_stream_gets_an_error_event(api: ApiClient) -> None:
    query = "{ batches(first: 100) { nodes { songs(first: 1000) { nodes { trackId } } } } }"
    response = api.post(query, headers={"accept": "text/event-stream"})
    (data,) = re.findall(r"^data: (\{.*)$", response.text, re.MULTILINE)
    assert json.loads(data)["errors"][0]["extensions"]["cost"] == 105_252


def test_explaining_a_song_costs_more_than_returning_it(start_service: StartService) -> None:
    query = "{ songs(first: 1000) { nodes { explanation(first: 2) { feature text } } } }"
    assert cost(start_service, query) == 1 + 50 + 1 + 1_000 * (1 + 10 + 2 * 2)
