"""The table of docs/errors.md matches the code, and errors outside the schema have GraphQL's format."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.errors import Code
from tests.support.client import ApiClient

ERRORS = Path(__file__).parents[2] / "docs" / "errors.md"


def test_the_table_has_every_code_with_its_status() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\d+) \| (yes|no) \| .+ \|$", ERRORS.read_text(), re.MULTILINE)
    assert rows == [(code, str(code.status), "yes" if code.retryable else "no") for code in Code]


def test_no_two_refusals_of_one_code_have_different_statuses() -> None:
    assert Code.REQUEST_TIMEOUT.status == 408
    assert Code.QUERY_TIMEOUT.status == 504


@pytest.mark.parametrize("code", [code for code in Code if " " in code.message])
def test_a_fixed_message_has_at_most_two_sentences(code: Code) -> None:
    assert 1 <= code.message.count(".") <= 2


def test_an_unknown_path_gets_a_graphql_error(shared_api: ApiClient) -> None:
    response = shared_api.http.get("/nothing")
    assert response.status_code == 404
    assert response.json() == {
        "errors": [
            {
                "message": "Unknown path. The API is at /graphql.",
                "extensions": {"code": "NOT_FOUND"},
            }
        ]
    }


def test_a_wrong_method_gets_a_graphql_error(shared_api: ApiClient) -> None:
    response = shared_api.http.delete("/healthcheck")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")
    assert response.json() == {
        "errors": [
            {
                "message": "DELETE is not allowed here. Use GET or HEAD.",
                "extensions": {"code": "METHOD_NOT_ALLOWED"},
            }
        ]
    }
