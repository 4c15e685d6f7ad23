"""Less common forms of requests that real clients send."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import httpx
import pytest

from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_rows

JSON = "application/json"
NEW = "application/graphql-response+json"
TYPENAME = {"data": {"__typename": "Query"}}
QUERY = b'{"query": "{ __typename }"}'

PROGRESS = "subscription ($id: ID!) { batchProgress(id: $id) { status rowsProcessed } }"
TWO_OPERATIONS = """
query A { songs { totalCount } }
mutation B { cancelBatch(id: 7) { __typename } }
"""
MUTATION = "mutation { classifySongs(input: {songs: []}) { __typename } }"

STREAM = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json"
MULTIPART_SUBSCRIPTION = 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0,application/json'


@pytest.fixture
def api(shared_api: ApiClient) -> ApiClient:
    return shared_api


def refusal(response: httpx.Response, status: int, code: str) -> str:
    """Return the message of the only error of a refusal."""
    assert response.status_code == status, response.text
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == code
    return str(error["message"])


def post(api: ApiClient, body: bytes, **headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.http.post("/graphql", content=body, headers={"content-type": JSON, **names})


# Subscriptions


# A browser's GET, which accepts text/html, gets the playground.
@pytest.mark.parametrize(
    ("method", "accept"),
    [
        *(
            (method, accept)
            for method in ("GET", "POST")
            for accept in (JSON, NEW, "*/*", "multipart/mixed", "")
        ),
        ("POST", "text/html"),
    ],
)
def test_a_subscription_without_a_stream_gets_406_and_instructions(
    api: ApiClient, method: str, accept: str
) -> None:
    query = "subscription { batchProgress(id: 7) { status } }"
    if method == "GET":
        response = api.http.get("/graphql", params={"query": query}, headers={"accept": accept})
    else:
        response = api.post(query, headers={"accept": accept})
    assert refusal(response, 406, "NOT_ACCEPTABLE") == (
        "Subscriptions require a stream. Send Accept: text/event-stream, or use a WebSocket with the "
        "protocol graphql-transport-ws."
    )


@pytest.mark.parametrize(
    "accept",
    [
        MULTIPART_SUBSCRIPTION,
        'multipart/mixed;boundary="graphql";subscriptionSpec=1.0,application/graphql-response+json,application/json',
        "multipart/mixed; subscriptionSpec=1.0",
        'text/plain, Multipart/Mixed;subscriptionSpec="1.0"',
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_apollos_multipart_subscription_is_served(api: ApiClient, method: str, accept: str) -> None:
    # given
    queued = api.classify(song_csv(song_rows(3_000)), background=True)
    variables = {"id": queued["id"]}
    # when
    if method == "GET":
        params = {"query": PROGRESS, "variables": json.dumps(variables)}
        response = api.http.get("/graphql", params=params, headers={"accept": accept})
    else:
        response = api.post(PROGRESS, variables, headers={"accept": accept})
    # then
    assert response.headers["content-type"].startswith(
        "multipart/mixed;boundary=graphql;subscriptionSpec=1.0"
    )
    payloads = multipart_payloads(response.text)
    assert payloads[-1] == {"data": {"batchProgress": {"status": "SUCCEEDED", "rowsProcessed": 3_000}}}


def test_an_invalid_multipart_subscription_ends_with_an_error(api: ApiClient) -> None:
    response = api.post("subscription { nope }", headers={"accept": MULTIPART_SUBSCRIPTION})
    (payload,) = multipart_payloads(response.text)
    assert payload["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


def test_a_query_can_be_answered_as_a_multipart_subscription(api: ApiClient) -> None:
    response = api.post("{ __typename }", headers={"accept": MULTIPART_SUBSCRIPTION})
    assert multipart_payloads(response.text) == [TYPENAME]


def multipart_payloads(body: str) -> list[dict[str, Any]]:
    assert body.rstrip().endswith("--graphql--")
    documents = [json.loads(part) for part in body.splitlines() if part.startswith("{")]
    return [document["payload"] for document in documents if document]  # an empty one is a heartbeat


# Several operations


@pytest.mark.parametrize("accept", [JSON, NEW])
def test_several_operations_without_an_operation_name_are_refused(api: ApiClient, accept: str) -> None:
    response = api.post(TWO_OPERATIONS, headers={"accept": accept})
    assert refusal(response, 400, "OPERATION_RESOLUTION_FAILURE") == (
        "The document has 2 operations. Name the one to run in operationName."
    )
    assert "data" not in response.json()


def test_a_stream_of_several_operations_without_an_operation_name_is_refused(api: ApiClient) -> None:
    response = api.post(TWO_OPERATIONS, headers={"accept": "text/event-stream"})
    document = next(line for line in response.text.splitlines() if "{" in line).removeprefix("data: ")
    (error,) = json.loads(document)["errors"]
    assert error["extensions"]["code"] == "OPERATION_RESOLUTION_FAILURE"


@pytest.mark.parametrize("name", ["A", "B"])
def test_the_named_one_of_several_operations_runs(api: ApiClient, name: str) -> None:
    body = json.dumps({"query": TWO_OPERATIONS, "operationName": name}).encode()
    response = post(api, body).json()
    if name == "A":
        assert response.keys() == {"data"}
    else:
        assert response["errors"][0]["path"] == ["cancelBatch"]


@pytest.mark.parametrize(
    ("query", "name", "message"),
    [
        (TWO_OPERATIONS, "C", "The document has no operation named 'C'."),
        ("query A { __typename }", "C", "The document has no operation named 'C'."),
        ("{ __typename }", "C", "The document has no operation named 'C'."),
        ("fragment F on Query { __typename }", None, "The document has no operation."),
        (
            "{ __typename } query A { __typename }",
            None,
            "The document has 2 operations. Name the one to run in operationName.",
        ),
    ],
)
@pytest.mark.parametrize("accept", [JSON, NEW])
def test_an_unknown_operation_name_is_refused(
    api: ApiClient, query: str, name: str | None, message: str, accept: str
) -> None:
    response = post(api, json.dumps({"query": query, "operationName": name}).encode(), accept=accept)
    assert refusal(response, 400, "OPERATION_RESOLUTION_FAILURE") == message


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_empty_operation_name_counts_as_missing(api: ApiClient, method: str) -> None:
    request = {"query": "query A { __typename }", "operationName": ""}
    if method == "GET":
        assert api.http.get("/graphql", params=request).json() == TYPENAME
    else:
        assert post(api, json.dumps(request).encode()).json() == TYPENAME


# Content types and encodings


@pytest.mark.parametrize(
    "content_type",
    [
        "Application/JSON",
        "APPLICATION/JSON; CHARSET=UTF-8",
        "application/json;charset=utf8",
        "application/json; charset",
        'application/json; charset="utf-8"',
        "application/json; charset=us-ascii",
        "application/json; odata=verbose",
        "application/json;",
    ],
)
def test_the_content_type_of_json_can_be_written_in_any_form(api: ApiClient, content_type: str) -> None:
    assert post(api, QUERY, content_type=content_type).json() == TYPENAME


@pytest.mark.parametrize(
    ("content_type", "shown"),
    [
        ("text/csv", "text/csv"),
        ("text/plain;charset=UTF-8", "text/plain"),
        ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded"),
        ("application/graphql", "application/graphql"),
        ("application/json-patch+json", "application/json-patch+json"),
        ("application/graphql-response+json", "application/graphql-response+json"),
        ("multipart/mixed; boundary=x", "multipart/mixed"),
        ("x" * 1_000, "x" * 100 + "…"),
    ],
)
def test_an_unsupported_content_type_is_named(api: ApiClient, content_type: str, shown: str) -> None:
    response = post(api, QUERY, content_type=content_type, graphql_preflight="1")
    assert refusal(response, 415, "UNSUPPORTED_MEDIA_TYPE") == (
        f"The content type {shown} is not supported. "
        "Send application/json, or multipart/form-data with a file."
    )


def test_a_missing_content_type_is_refused(api: ApiClient) -> None:
    response = api.http.post("/graphql", content=QUERY)
    assert refusal(response, 415, "UNSUPPORTED_MEDIA_TYPE") == (
        "The request has no content type. Send application/json, or multipart/form-data with a file."
    )


@pytest.mark.parametrize("charset", ["iso-8859-1", "utf-16", "windows-1252", "no such"])
def test_an_unsupported_charset_is_named(api: ApiClient, charset: str) -> None:
    response = post(api, QUERY, content_type=f'application/json; charset="{charset}"')
    assert refusal(response, 415, "UNSUPPORTED_MEDIA_TYPE") == (
        f"The charset {charset} is not supported. Send JSON in UTF-8."
    )


@pytest.mark.parametrize(
    ("encoding", "body", "shown"),
    [
        ("gzip", gzip.compress(QUERY, mtime=0), "gzip"),
        ("GZIP", gzip.compress(QUERY, mtime=0), "gzip"),
        ("deflate", zlib.compress(QUERY), "deflate"),
        ("br", b"whatever", "br"),
        ("zstd", b"whatever", "zstd"),
        ("identity, gzip", gzip.compress(QUERY, mtime=0), "gzip"),
        ("x" * 1_000, QUERY, "x" * 100 + "…"),
    ],
)
@pytest.mark.parametrize("content_type", [JSON, "multipart/form-data; boundary=x"])
def test_an_unsupported_content_encoding_is_named(
    api: ApiClient, encoding: str, body: bytes, shown: str, content_type: str
) -> None:
    response = post(api, body, content_type=content_type, content_encoding=encoding, graphql_preflight="1")
    assert refusal(response, 415, "UNSUPPORTED_MEDIA_TYPE") == (
        f"The content encoding {shown} is not supported. Send the body uncompressed."
    )
    assert response.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("encoding", ["identity", "Identity", ""])
def test_the_content_encoding_identity_is_accepted(api: ApiClient, encoding: str) -> None:
    assert post(api, QUERY, content_encoding=encoding).json() == TYPENAME


def test_a_byte_order_mark_before_json_is_skipped(api: ApiClient) -> None:
    assert post(api, b"\xef\xbb\xbf" + QUERY).json() == TYPENAME


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"query": "\xff"}', "The request body is not UTF-8."),
        ('{"query": "{ __typename }"}'.encode("utf-16"), "The request body is not UTF-8."),
        (b"", "The request body is empty. Send a JSON object with a query."),
        (b"query", "The request body is not JSON: Expecting value: line 1 column 1 (char 0)."),
        (
            b'{"query": "{a}", "variables": {"a": NaN}}',
            "The request body is not JSON: NaN is not a number.",
        ),
        (
            b'{"query": "{a}", "variables": {"a": ' + b"9" * 5_000 + b"}}",
            (
                "The request body is not JSON: Exceeds the limit (4300 digits) for integer string "
                "conversion: value has 5000 digits."
            ),
        ),
        (b"7", "The request body must be a JSON object."),
        (b"[" + QUERY + b"]", "Batching is not supported. Send each operation in its own request."),
        (b"[]", "Batching is not supported. Send each operation in its own request."),
        (b"{}", "The request has no query."),
        (b'{"query": null}', "The request has no query."),
        (b'{"query": ""}', "The request has no query."),
        (b'{"query": 7}', "`query` must be a string."),
        (b'{"query": "{a}", "variables": 7}', "`variables` must be a JSON object or null."),
        (b'{"query": "{a}", "variables": ["a"]}', "`variables` must be a JSON object or null."),
        (b'{"query": "{a}", "operationName": 7}', "`operationName` must be a string or null."),
        (b'{"query": "{a}", "operationName": {}}', "`operationName` must be a string or null."),
        (b"[" * 10_000, "The request body is nested too deeply."),
    ],
    ids=lambda value: str(value[:40]),
)
def test_an_invalid_body_is_refused_with_the_reason(api: ApiClient, body: bytes, message: str) -> None:
    assert refusal(post(api, body), 400, "BAD_REQUEST") == message


# GET


@pytest.mark.parametrize("value", ["null", "", "%20"])
@pytest.mark.parametrize("name", ["variables", "extensions"])
def test_variables_in_a_url_can_be_null_or_empty(api: ApiClient, name: str, value: str) -> None:
    response = api.http.get(f"/graphql?query=%7B__typename%7D&{name}={value}")
    assert response.json() == TYPENAME


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("variables=7", "`variables` must be a JSON object or null."),
        ("variables=[]", "`variables` must be a JSON object or null."),
        ("variables={", "The URL's `variables` is not JSON: "),
        ("extensions=%22text%22", "`extensions` must be a JSON object or null."),
        ("query=%7Ba%7D", "The URL has 2 parameters named `query`; send one."),
        ("variables={}&variables={}", "The URL has 2 parameters named `variables`; send one."),
        ("operationName=%FF", "The URL's parameters are not UTF-8."),
    ],
)
def test_invalid_url_parameters_are_named(api: ApiClient, url: str, message: str) -> None:
    response = api.http.get(f"/graphql?query=%7B__typename%7D&{url}")
    assert refusal(response, 400, "BAD_REQUEST").startswith(message)


@pytest.mark.parametrize("url", ["/graphql", "/graphql?query=", "/graphql?variables={}"])
def test_a_url_without_a_query_is_refused(api: ApiClient, url: str) -> None:
    assert refusal(api.http.get(url), 400, "BAD_REQUEST") == "The request has no query."


# Persisted queries


HASH = {
    "persistedQuery": {
        "version": 1,
        "sha256Hash": "ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38",
    }
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "sent", [{"extensions": HASH}, {"documentId": "sha256:ecf4"}, {"query": "", "extensions": HASH}]
)
def test_a_persisted_query_is_refused_with_apollos_error(
    api: ApiClient, method: str, sent: dict[str, Any]
) -> None:
    if method == "GET":
        params = {
            name: value if isinstance(value, str) else json.dumps(value) for name, value in sent.items()
        }
        response = api.http.get("/graphql", params=params)
    else:
        response = post(api, json.dumps(sent).encode())
    # with this message and status, Apollo Client and urql send the full query
    assert refusal(response, 200, "PERSISTED_QUERY_NOT_SUPPORTED") == "PersistedQueryNotSupported"


def test_a_query_can_be_sent_with_its_persisted_query_hash(api: ApiClient) -> None:
    assert post(api, json.dumps({"query": "{__typename}", "extensions": HASH}).encode()).json() == TYPENAME


# Methods


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
def test_an_unsupported_method_gets_405_and_the_allowed_methods(api: ApiClient, method: str) -> None:
    response = api.http.request(method, "/graphql")
    assert refusal(response, 405, "METHOD_NOT_ALLOWED") == (
        f"{method} is not allowed here. Use GET, HEAD, POST or OPTIONS."
    )
    assert response.headers["allow"] == "GET, HEAD, POST, OPTIONS"


def test_options_returns_the_allowed_methods(api: ApiClient) -> None:
    response = api.http.options("/graphql")
    assert (response.status_code, response.headers["allow"]) == (204, "GET, HEAD, POST, OPTIONS")


@pytest.mark.parametrize(("query", "status"), [("{ __typename }", 200), (MUTATION, 405), ("", 400)])
def test_head_is_answered_as_get_without_the_body(api: ApiClient, query: str, status: int) -> None:
    head = api.http.head("/graphql", params={"query": query})
    get = api.http.get("/graphql", params={"query": query})
    assert (head.status_code, head.content) == (status, b"")
    assert head.headers["content-length"] == get.headers["content-length"]


@pytest.mark.parametrize("path", ["/livez", "/healthcheck", "/metrics", "/batches/1/songs.csv"])
def test_other_routes_return_their_allowed_methods(api: ApiClient, path: str) -> None:
    response = api.http.post(path)
    assert response.status_code == 405
    assert {method.strip() for method in response.headers["allow"].split(",")} == {"GET", "HEAD"}


def test_the_graphql_media_type_is_case_insensitive(api: ApiClient) -> None:
    response = api.post("{ nope }", headers={"accept": "Application/GraphQL-Response+JSON"})
    assert (response.status_code, response.headers["content-type"]) == (400, f"{NEW}; charset=utf-8")
