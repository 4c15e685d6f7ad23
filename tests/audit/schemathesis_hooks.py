"""What schemathesis must know of our schema; it loads this file by SCHEMATHESIS_HOOKS."""

from __future__ import annotations

import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes, scalar

# A file cannot stand in a document, and so `classifyBatch` is left to tests/audit/test_fuzz.py; whatever
# stands there instead must be refused.
scalar("Upload", st.text(max_size=20).map(nodes.String))
scalar("DateTime", st.datetimes().map(lambda moment: nodes.String(moment.isoformat())))

__all__ = ["schemathesis"]
