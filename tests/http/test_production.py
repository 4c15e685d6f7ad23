"""What a service in production reveals and accepts."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.conftest import StartService
from tests.support.client import CLASSIFY_BATCH, ApiClient, upload_parts
from tests.support.songs import song_csv, song_rows
from tests.support.websocket import CREDENTIALS, greeted, opened, receive, send

MISSPELT: dict[str, tuple[str, dict[str, Any], str]] = {
    "field": ("{ genre { name } }", {}, "Cannot query field 'genre' on type 'Query'."),
    "field of a union": (
        "mutation ($f: Upload!) { classifyBatch(file: $f) { fileName } }",
        {},
        "Cannot query field 'fileName' on type 'ClassifyBatchResult'.",
    ),
    "argument": (
        "{ songs(frist: 1) { totalCount } }",
        {},
        "Unknown argument 'frist' on field 'Query.songs'.",
    ),
    "type of a fragment": ("{ ... on Qery { __typename } }", {}, "Unknown type 'Qery'."),
    "type of a variable": ("query ($a: Strin) { song(trackId: $a) { title } }", {}, "Unknown type 'Strin'."),
    "directive argument": (
        "{ __typename @include(iff: true) }",
        {},
        "Unknown argument 'iff' on directive '@include'.",
    ),
    "enum value": (
        "mutation ($f: Upload!) { classifyBatch(file: $f, options: {onInvalidRow: SKIP_ROWS}) {__typename} }",
        {},
        "Value 'SKIP_ROWS' does not exist in 'OnInvalidRow' enum.",
    ),
    "enum value as text": (
        'mutation ($f: Upload!) {classifyBatch(file: $f, options: {onInvalidRow: "SKIP_ROW"}) {__typename}}',
        {},
        "Enum 'OnInvalidRow' cannot represent non-enum value: \"SKIP_ROW\".",
    ),
    "input field": (
        "mutation { classifySongs(input: {song: []}) { __typename } }",
        {},
        "Expected value of type 'ClassifySongsInput' not to include unknown field 'song'.",
    ),
    "input field in a variable": (
        "mutation ($i: ClassifySongsInput!) { classifySongs(input: $i) { __typename } }",
        {"i": {"songs": [], "onInvalidRows": 1}},
        (
            "Variable '$i' has invalid value: Expected value of type 'ClassifySongsInput' not to include "
            "unknown field 'onInvalidRows'."
        ),
    ),
    "enum value in a variable": (
        "mutation ($i: ClassifySongsInput!) { classifySongs(input: $i) { __typename } }",
        {"i": {"songs": [], "onInvalidRow": "SKIP_ROWS"}},
        (
            "Variable '$i' has invalid value at .onInvalidRow: "
            "Value 'SKIP_ROWS' does not exist in 'OnInvalidRow' enum."
        ),
    ),
}


@pytest.mark.parametrize(("query", "variables", "message"), MISSPELT.values(), ids=MISSPELT)
def test_misspelt_names_get_no_suggestion_in_production(
    start_service: StartService, query: str, variables: dict[str, Any], message: str
) -> None:
    open_api, closed_api = start_service(), start_service(environment="production")
    suggested = [error["message"] for error in open_api.errors(query, **variables)]
    messages = [error["message"] for error in closed_api.errors(query, **variables)]
    assert (
        any("Did you mean" in text or "inline fragment" in text for text in suggested)
        or suggested == messages
    )
    assert message in messages
    assert not any("Did you mean" in text for text in messages)


def test_misspelt_names_get_no_suggestion_over_a_websocket_in_production(start_service: StartService) -> None:
    with opened(start_service(environment="production")) as connection:
        greeted(connection, CREDENTIALS)
        send(connection, type="subscribe", id="1", payload={"query": "{ genre { name } }"})
        (error,) = receive(connection)["payload"]
        assert error["message"] == "Cannot query field 'genre' on type 'Query'."


@pytest.mark.parametrize(
    "query",
    [
        "{ __schema { queryType { name } } }",
        '{ __type(name: "Song") { name } }',
        "{ ...A } fragment A on Query { s: __schema { types { name } } }",
    ],
)
def test_introspection_is_refused_in_production(start_service: StartService, query: str) -> None:
    body = start_service(environment="production").post(query).json()
    assert body.keys() == {"errors"}
    assert body["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert start_service(environment="production", introspection=True).post(query).json().keys() == {"data"}


def test_batched_operations_are_refused(api: ApiClient) -> None:
    operations = [{"query": "{ __typename }"}, {"query": "{ __typename }"}]
    response = api.http.post("/graphql", json=operations)
    assert response.status_code == 400
    assert (
        response.json()["errors"][0]["message"]
        == "Batching is not supported. Send each operation in its own request."
    )
    parts = upload_parts(CLASSIFY_BATCH, song_csv(song_rows(1)))
    parts[0] = ("operations", (None, json.dumps(operations)))
    response = api.multipart(parts)
    assert response.status_code == 400
    assert response.json()["errors"][0]["message"].startswith("Batching is not supported")


@pytest.mark.parametrize(
    "accept", ["application/json", "application/graphql-response+json", "text/event-stream"]
)
def test_a_mutation_over_get_is_not_executed(api: ApiClient, accept: str) -> None:
    # given
    mutation = "mutation { classifySongs(input: {songs: []}) { __typename } }"
    # when
    response = api.http.get("/graphql", params={"query": mutation}, headers={"accept": accept})
    # then
    if accept == "text/event-stream":
        assert "Mutations are not allowed over GET" in response.text
    else:
        assert response.status_code == 405
        assert response.headers["allow"] == "POST"
        message = response.json()["errors"][0]["message"]
        assert message == "Mutations are not allowed over GET. Use POST."


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "text/plain", "text/plain; x=application/json", ""],
)
def test_a_forged_form_cannot_send_an_operation(api: ApiClient, content_type: str) -> None:
    for content in ("query=%7B__typename%7D", json.dumps({"query": "{ __typename }"})):
        response = api.http.post("/graphql", content=content, headers={"content-type": content_type})
        assert response.status_code == 415
        assert "data" not in response.json()


def test_a_forged_form_with_a_file_is_refused(api: ApiClient) -> None:
    parts = upload_parts(CLASSIFY_BATCH, song_csv(song_rows(1)))
    response = api.http.post("/graphql", files=parts)
    assert response.status_code == 403
    assert response.json()["errors"][0]["extensions"]["code"] == "PREFLIGHT_REQUIRED"
    assert api.execute("{ batches { totalCount } }")["batches"]["totalCount"] == 0


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_pages_of_other_origins_cannot_read_answers(api: ApiClient, origin: str) -> None:
    for response in (
        api.post("{ __typename }", headers={"origin": origin}),
        api.http.options(
            "/graphql",
            headers={
                "origin": origin,
                "access-control-request-method": "POST",
                "access-control-request-headers": "client-id",
            },
        ),
        httpx.get(f"{api.url}/healthcheck", headers={"origin": origin}),
    ):
        assert not [name for name in response.headers if name.startswith("access-control-")]


def test_only_pages_of_configured_origins_can_read_answers(start_service: StartService) -> None:
    api = start_service(cors_origins=("https://music.example",))
    assert (
        api.post("{ __typename }", headers={"origin": "https://music.example"}).headers[
            "access-control-allow-origin"
        ]
        == "https://music.example"
    )
    preflight = {
        "origin": "https://music.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "client-id,client-secret,graphql-preflight",
    }
    allowed = api.http.options("/graphql", headers=preflight)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://music.example"
    evil = api.post("{ __typename }", headers={"origin": "https://music.example.evil.example"})
    assert "access-control-allow-origin" not in evil.headers
    assert "access-control-allow-credentials" not in evil.headers


@pytest.mark.parametrize("length", [65_536, 65_537])
def test_a_query_is_limited_to_64_ki_characters(api: ApiClient, length: int) -> None:
    query = "{ __typename }".ljust(length)
    body = api.post(query).json()
    with opened(api) as connection:
        greeted(connection, CREDENTIALS)
        send(connection, type="subscribe", id="1", payload={"query": query})
        answer = receive(connection)
    if length == 65_536:
        assert body == {"data": {"__typename": "Query"}}
        assert answer["payload"] == body
    else:
        message = "The query is longer than 65,536 characters. Pass long values as variables."
        error = {"message": message, "extensions": {"code": "BAD_REQUEST"}}
        assert body == {"errors": [error]}
        assert answer == {"id": "1", "type": "error", "payload": [error]}


def test_json_bodies_have_their_own_limit(api: ApiClient) -> None:
    content = json.dumps({"query": "{ __typename }", "variables": {"a": "x" * 16 * 2**20}})
    response = api.http.post("/graphql", content=content, headers={"content-type": "application/json"})
    assert response.status_code == 413
    assert response.json()["errors"][0]["message"] == (
        "The request is larger than 16,777,216 bytes. Send fewer songs at a time, or a file."
    )
