"""Scalars and checks for schemathesis, which loads this file because of SCHEMATHESIS_HOOKS."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes, scalar

# A document cannot contain a file, so any value must be refused. tests/audit/test_fuzz.py covers uploads.
scalar("Upload", st.text(max_size=20).map(nodes.String))
scalar("DateTime", st.datetimes().map(lambda moment: nodes.String(moment.isoformat())))


@schemathesis.check
def no_server_error(_context: object, response: Any, _case: object) -> None:
    """Check that no error is unexpected.

    The built-in check `not_a_server_error` reports every error with a path, also those of the client.
    """
    assert response.status_code < 500, response.status_code
    for error in response.json().get("errors", []):
        code = error["extensions"]["code"]
        assert code not in {"INTERNAL_SERVER_ERROR", "UNAVAILABLE"}, error
