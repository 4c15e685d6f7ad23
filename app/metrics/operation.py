"""What is known of a GraphQL operation once it has ended."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operation:
    """A GraphQL operation that has ended.

    Attributes:
        type: `query`, `mutation` or `subscription`; `invalid` for what is no operation of the schema.
        field: its root field, of the schema; `several` or `introspection` for others.
        outcome: `ok`, or the code of what was wrong first.
        seconds: from when its request was read to its end.
        rows: rows of songs that came with it, None if none did.
    """

    type: str
    field: str
    outcome: str
    seconds: float
    rows: int | None = None
