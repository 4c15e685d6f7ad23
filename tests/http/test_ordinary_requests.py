"""An ordinary request takes a short way to its answer, which is that of the long way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.client import ApiClient

MUTATION = 'mutation { cancelBatch(id: "QmF0Y2g6MQ==") { __typename } }'

REQUESTS: list[dict[str, Any]] = [
    {"query": "{ genres { name songCount } }"},
    {"query": "{ genres { name } }", "variables": None, "operationName": None},
    {"query": "query A { genres { name } } query B { batches { nodes { id } } }", "operationName": "B"},
    {"query": "query A { genres { name } } query B { batches { nodes { id } } }"},
    {"query": "query A { genres { name } }", "operationName": "C"},
    {"query": "query ($g: String) { songs(genre: $g) { totalCount } }", "variables": {"g": "no genre"}},
    {"query": "query ($t: ID!) { song(trackId: $t) { title } }", "variables": {"t": 2**64}},
    {"query": "query ($t: ID!) { song(trackId: $t) { title } }", "variables": {"t": "\ud800"}},
    {"query": "query ($n: Int) { songs(first: $n) { nodes { id } } }", "variables": {"n": "many"}},
    {"query": '{ songs(after: "\u00fc") { nodes { id } } }'},
    {"query": "{ genres { colour } }"},
    {"query": "{ genres { name }"},
    {"query": "fragment F on Genre { name }"},
    {"query": 'subscription { batchProgress(id: "QmF0Y2g6MQ==") { status } }'},
    {"query": "{ songs(first: 1000) { nodes { batch { songs(first: 1000) { nodes { id } } } } } }"},
    {"query": MUTATION},
    {"query": "{ __typename }"},
    {"query": "{ __schema { queryType { name } } }"},
    {"query": ""},
    {"query": "#" * 200_000},
    {"query": 1},
    {"query": "{ genres { name } }", "variables": []},
    {"query": "{ genres { name } }", "operationName": 1},
    {"variables": {}},
]


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
@pytest.mark.parametrize("request_body", REQUESTS, ids=range(len(REQUESTS)))
def test_both_ways_lead_to_the_same_answer(
    shared_api: ApiClient, request_body: dict[str, Any], accept: str
) -> None:
    # when the same is asked with and without a key that only the long way knows
    short, long = (
        shared_api.http.post(
            "/graphql",
            content=json.dumps(body),
            headers={"content-type": "application/json", "accept": accept},
        )
        for body in (request_body, {**request_body, "extensions": {}})
    )
    # then
    assert short.status_code == long.status_code
    assert short.content == long.content
    ids = {"x-request-id", "date"}
    assert {k: v for k, v in short.headers.items() if k not in ids} == {
        k: v for k, v in long.headers.items() if k not in ids
    }
