"""Requirements of the GraphQL-over-HTTP specification."""

from __future__ import annotations

import pytest

from tests.conftest import ExecuteSql
from tests.http.conftest import LogLines
from tests.support.client import ApiClient

NEW = "application/graphql-response+json"


@pytest.mark.parametrize(
    ("accept", "query", "status", "content_type"),
    [
        (NEW, "{ __typename }", 200, NEW),
        (NEW, "{ nope }", 400, NEW),
        (NEW, "{", 400, NEW),
        ("application/json", "{ __typename }", 200, "application/json"),
        ("application/json", "{ nope }", 200, "application/json"),
        ("*/*", "{ __typename }", 200, "application/json"),
    ],
)
def test_status_and_media_type_depend_on_the_accept_header(
    shared_api: ApiClient, accept: str, query: str, status: int, content_type: str
) -> None:
    response = shared_api.post(query, headers={"accept": accept})
    assert response.status_code == status
    assert response.headers["content-type"].split(";")[0] == content_type
    assert ("data" in response.json()) is (query == "{ __typename }")


@pytest.mark.parametrize("query", ["{}", "{ genres {} }", "{ genres { ... on Genre {} } }"])
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_an_empty_selection_is_a_syntax_error(shared_api: ApiClient, query: str, accept: str) -> None:
    # when
    response = shared_api.http.post("/graphql", json={"query": query}, headers={"accept": accept})
    # then
    assert "GRAPHQL_PARSE_FAILED" in response.text
    assert "Expected Name, found '}'" in response.text


def test_an_unexpected_error_is_masked_and_logged(
    api: ApiClient, execute_sql: ExecuteSql, log_lines: LogLines
) -> None:
    # given a database that has lost a table
    execute_sql("DROP TABLE genre_counts CASCADE")
    # when
    response = api.post("{ genres { name } }")
    # then
    (error,) = response.json()["errors"]
    assert error["message"] == "Internal server error. The server log has the details."
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR"}
    assert "genre_counts" not in response.text
    assert "unexpected error" in [line["event"] for line in log_lines()]
