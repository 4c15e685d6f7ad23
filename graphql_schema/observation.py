"""Telling what each operation was and how it ended, for logs and metrics."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from graphql import FieldNode, GraphQLError, get_operation_ast
from strawberry.extensions import SchemaExtension
from strawberry.types import ExecutionContext

from app.metrics.operation import Operation

OK: Final = "ok"
CANCELLED: Final = "cancelled"
INVALID: Final = "invalid"
SEVERAL: Final = "several"
INTROSPECTION: Final = "introspection"

_NO_OPERATION: Final = {"GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"}
"""The outcomes of documents whose names are not those of the schema."""


@dataclass
class _Noted:
    refusal: str | None = None
    rows: int | None = None


_noted: ContextVar[_Noted] = ContextVar("noted")
"""Of the operation that runs: operations of one WebSocket share a context, and run at once."""


def note_refusal(code: str) -> None:
    """Note that what was sent is refused, with a member of a union that is no GraphQL error."""
    _noted.get().refusal = code


def note_rows(rows: int) -> None:
    """Note how many rows of songs came with the operation."""
    _noted.get().rows = rows


class Observation(SchemaExtension):
    """Hands each operation that ended to the context's `observe`."""

    def on_operation(self) -> Iterator[None]:
        """Watch the operation."""
        noted = _Noted()
        _noted.set(noted)
        begin = time.perf_counter()
        outcome = CANCELLED
        try:
            yield
            outcome = _error_code(self.execution_context) or noted.refusal or OK
        except Exception:
            outcome = "BAD_REQUEST"  # there is no such operation, or none was sent
            raise
        finally:
            kind, field = INVALID, INVALID
            if outcome not in _NO_OPERATION:
                kind, field = _kind_and_field(self.execution_context)
            seconds = time.perf_counter() - begin
            self.execution_context.context.observe(Operation(kind, field, outcome, seconds, noted.rows))


def _error_code(context: ExecutionContext) -> str | None:
    errors: list[GraphQLError] | None = context.pre_execution_errors
    if not errors and context.result is not None:
        errors = context.result.errors
    return str((errors[0].extensions or {}).get("code", "")) or None if errors else None


def _kind_and_field(context: ExecutionContext) -> tuple[str, str]:
    """Return the type of a valid operation and its root field: names of the schema's or ours."""
    document = context.graphql_document
    operation = None if document is None else get_operation_ast(document, context.operation_name)
    if operation is None:
        return INVALID, INVALID
    fields = {
        selection.name.value if isinstance(selection, FieldNode) else SEVERAL
        for selection in operation.selection_set.selections
    }
    field = fields.pop() if len(fields) == 1 else SEVERAL
    return operation.operation.value, INTROSPECTION if field.startswith("__") else field
