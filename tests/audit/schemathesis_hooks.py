"""What schemathesis must know of our schema; it loads this file by SCHEMATHESIS_HOOKS."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes, scalar

# A file cannot stand in a document, and so `classifyBatch` is left to tests/audit/test_fuzz.py; whatever
# stands there instead must be refused.
scalar("Upload", st.text(max_size=20).map(nodes.String))
scalar("DateTime", st.datetimes().map(lambda moment: nodes.String(moment.isoformat())))


@schemathesis.check
def no_mistake_of_ours(_context: object, response: Any, _case: object) -> None:
    """Tell an error that the client can act upon, which has a code, from one that nobody expected.

    schemathesis' own `not_a_server_error` takes every error with a path for the latter.
    """
    assert response.status_code < 500, response.status_code
    for error in response.json().get("errors", []):
        code = error["extensions"]["code"]
        assert code not in {"INTERNAL_SERVER_ERROR", "UNAVAILABLE"}, error
