from __future__ import annotations

import pytest

from tests.conftest import StartService
from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_rows


def test_a_body_over_the_limit_gets_413(start_service: StartService) -> None:
    # given
    api = start_service(max_upload_bytes=100_000)
    # when
    response = api.upload(song_csv(song_rows(100)))
    # then
    assert response.status_code == 413
    assert response.json() == {
        "errors": [
            {
                "message": "The request is larger than 100,000 bytes. Send the songs in several files.",
                "extensions": {"code": "PAYLOAD_TOO_LARGE"},
            }
        ]
    }
    assert api.execute("{ songs { totalCount } }") == {"songs": {"totalCount": 0}}


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x"])
def test_a_chunked_body_over_the_limit_gets_413(start_service: StartService, content_type: str) -> None:
    api = start_service(max_upload_bytes=100_000)
    start = b'--x\r\ncontent-disposition: form-data; name="0"; filename="a.csv"\r\n\r\n'
    chunks = (start if number == 0 else bytes(10_000) for number in range(50))
    headers = {"content-type": content_type, "graphql-preflight": "1"}
    response = api.http.post("/graphql", content=chunks, headers=headers)
    assert response.status_code == 413
    assert api.execute("{ __typename }") == {"__typename": "Query"}


@pytest.mark.parametrize(
    ("query", "part"),
    [
        (
            "{ songs " + "{ nodes { batch { songs " * 5 + "{ totalCount }" + " } } }" * 5 + " }",
            "is too deep",
        ),
        ("{ " + " ".join(f"a{number}: __typename" for number in range(16)) + " }", "too many aliases"),
        ("{ " + "genres { name } " * 300 + "}", "tokens"),
    ],
)
def test_a_query_with_too_many_levels_aliases_or_tokens_is_refused(
    api: ApiClient, query: str, part: str
) -> None:
    body = api.post(query).json()
    assert "data" not in body
    assert part in body["errors"][0]["message"]
    assert body["errors"][0]["extensions"]["code"] in {"GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED"}


def test_the_introspection_query_of_standard_clients_passes_the_limits(api: ApiClient) -> None:
    from graphql import build_client_schema, get_introspection_query, print_schema

    data = api.execute(get_introspection_query())
    assert "type Song implements Node" in print_schema(build_client_schema(data))  # type: ignore[arg-type]
