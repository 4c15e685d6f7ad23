"""Fuzz tests: any input gets a response without a server error."""

from __future__ import annotations

import json
import os
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import StartService
from tests.support.client import CLASSIFY_BATCH, ApiClient
from tests.support.songs import song_csv, song_rows

EXAMPLES = int(os.environ.get("AUDIT_EXAMPLES", "50"))
"""Examples per test; `make audit` sets more."""

bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="AUDIT_EXAMPLES" not in os.environ,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
        HealthCheck.data_too_large,
    ],
)

OPERATIONS = json.dumps({"query": CLASSIFY_BATCH, "variables": {"file": None}}).encode()
MAP = b'{"0": ["variables.file"]}'
FILE = song_csv(song_rows(4))


@pytest.fixture
def api(start_service: StartService) -> ApiClient:
    # A worker in this process would draw random numbers, which confuses Hypothesis.
    return start_service(worker_concurrency=0)


def checked(response: httpx.Response) -> dict[str, Any]:
    """Return the body of a response after checking that it is GraphQL without server errors."""
    assert response.status_code in {200, 400, 403, 413}, (response.status_code, response.text)
    body: dict[str, Any] = response.json()
    assert body.keys() <= {"data", "errors", "extensions"}
    codes = [error["extensions"]["code"] for error in body.get("errors", [])]
    assert "INTERNAL_SERVER_ERROR" not in codes, response.text
    assert "UNAVAILABLE" not in codes, response.text
    return body


def damaged(data: bytes) -> st.SearchStrategy[bytes]:
    """Return variations of bytes with a few places deleted, overwritten or extended."""
    place = st.integers(0, len(data))
    change = st.tuples(
        place, st.integers(0, 40), st.binary(max_size=12) | st.sampled_from([b"\r\n", b"--b", b'"', b"\0"])
    )

    def apply(changes: list[tuple[int, int, bytes]]) -> bytes:
        result = data
        for start, length, inserted in changes:
            result = result[:start] + inserted + result[start + length :]
        return result

    return st.lists(change, max_size=4).map(apply)


NAMES = st.sampled_from([b"operations", b"map", b"0", b"1", b"", b'a"b', "é".encode(), b"\xff"])
FILE_NAMES = st.none() | st.sampled_from(
    [b"a.csv", b"a.CSV", b"", b"../a.csv", b"\xff.csv", b"a" * 300 + b".csv", b"a\0.csv"]
)
CONTENTS = st.sampled_from(
    [OPERATIONS, MAP, FILE, b"", b"{}", b"[]", b"null", b"1", b'"x"', b"[" * 2_000]
) | st.binary(max_size=60)
HEADERS = st.sampled_from(
    [b"", b"Content-Type: text/csv\r\n", b"X: " + b"y" * 5_000 + b"\r\n", b"no colon\r\n", b": \r\n"]
)


@st.composite
def part(draw: st.DrawFn) -> bytes:
    name, file_name = draw(NAMES), draw(FILE_NAMES)
    disposition = b'Content-Disposition: form-data; name="' + name + b'"'
    if file_name is not None:
        disposition += b'; filename="' + file_name + b'"'
    return b"--b\r\n" + disposition + b"\r\n" + draw(HEADERS) + b"\r\n" + draw(CONTENTS) + b"\r\n"


def well_formed(*names_and_contents: tuple[bytes, bytes]) -> bytes:
    parts = [
        b'--b\r\nContent-Disposition: form-data; name="' + name + b'"\r\n\r\n' + content + b"\r\n"
        for name, content in names_and_contents
    ]
    file = b'--b\r\nContent-Disposition: form-data; name="0"; filename="a.csv"\r\n\r\n' + FILE + b"\r\n"
    return b"".join([*parts, file, b"--b--\r\n"])


BODIES = (
    damaged(well_formed((b"operations", OPERATIONS), (b"map", MAP)))
    | st.lists(part(), max_size=5).map(lambda parts: b"".join(parts) + b"--b--\r\n")
    | st.binary(max_size=200)
)
BOUNDARIES = st.just("b") | st.sampled_from(["", '""', "b; boundary=c", "x" * 300])


@bounded
@given(body=BODIES, boundary=BOUNDARIES)
def test_any_multipart_body_gets_a_response(api: ApiClient, body: bytes, boundary: str) -> None:
    content_type = f"multipart/form-data; boundary={boundary}".encode()
    response = api.http.post(
        "/graphql", content=body, headers=[(b"content-type", content_type), (b"graphql-preflight", b"1")]
    )
    checked(response)


def test_the_undamaged_body_is_valid(api: ApiClient) -> None:
    body = well_formed((b"operations", OPERATIONS), (b"map", MAP))
    headers = {"content-type": "multipart/form-data; boundary=b", "graphql-preflight": "1"}
    result = checked(api.http.post("/graphql", content=body, headers=headers))["data"]["classifyBatch"]
    assert result["rowsClassified"] == 4


@bounded
@given(file=damaged(FILE) | st.binary(max_size=300), skip=st.booleans(), background=st.booleans())
def test_any_file_is_classified_or_refused(api: ApiClient, file: bytes, skip: bool, background: bool) -> None:
    result = api.classify(file, onInvalidRow="SKIP_ROW" if skip else "REJECT_FILE", background=background)
    if result["__typename"] == "InvalidSongFile":
        assert result["problemCount"] >= len(result["problems"]) > 0
    else:
        assert result["__typename"] == "Batch"
        if not background:
            parts = ("rowsWithMissingValues", "rowsInvalid", "rowsDuplicated", "rowsClassified")
            assert result["rowsUploaded"] == sum(result[part] for part in parts)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "query": JSON
        | st.sampled_from(["{ __typename }", CLASSIFY_BATCH, "{ songs(first: $n) { totalCount } }"]),
        "variables": JSON,
        "operationName": JSON,
        "extensions": JSON,
    },
)


@bounded
@given(content=(REQUESTS | JSON).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=100))
def test_any_json_body_gets_a_response(api: ApiClient, content: bytes) -> None:
    checked(api.http.post("/graphql", content=content, headers={"content-type": "application/json"}))


TEXTS = st.none() | st.text(max_size=40) | st.binary(max_size=20).map(lambda text: text.hex())
ARGUMENTS = st.fixed_dictionaries(
    {"first": st.integers() | st.none(), "after": TEXTS, "title": TEXTS, "key": st.text(max_size=40)}
)


@bounded
@given(variables=ARGUMENTS)
@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
def test_any_argument_gets_a_response(api: ApiClient, accept: str, variables: dict[str, Any]) -> None:
    query = """query ($first: Int, $after: String, $title: String, $key: ID!) {
      songs(first: $first, after: $after, titleContains: $title, batchId: $key) { nodes { title } }
      song(trackId: $key) { title } node(id: $key) { id } batch(id: $key) { id }
      batches(first: $first, after: $after) { nodes { id } }
    }"""
    checked(api.post(query, variables, headers={"accept": accept}))
