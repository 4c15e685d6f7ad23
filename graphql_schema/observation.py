"""Telling what each operation was and how it ended, for logs and metrics."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from graphql import FieldNode, GraphQLError, GraphQLSchema, get_operation_ast
from strawberry.extensions import SchemaExtension
from strawberry.types import ExecutionContext

from app.metrics.operation import Operation

OK: Final = "ok"
CANCELLED: Final = "cancelled"
INVALID: Final = "invalid"
SEVERAL: Final = "several"
INTROSPECTION: Final = "introspection"


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
        end = CANCELLED
        try:
            yield
            end = noted.refusal or OK
        except Exception:
            end = "BAD_REQUEST"  # there is no such operation, or none was sent
            raise
        finally:
            outcome = _error_code(self.execution_context) or end
            kind, field = _kind_and_field(self.execution_context)
            seconds = time.perf_counter() - begin
            self.execution_context.context.observe(Operation(kind, field, outcome, seconds, noted.rows))


def _error_code(context: ExecutionContext) -> str | None:
    errors: list[GraphQLError] | None = context.pre_execution_errors
    if not errors and context.result is not None:
        errors = context.result.errors
    return str((errors[0].extensions or {}).get("code", "")) or None if errors else None


def _kind_and_field(context: ExecutionContext) -> tuple[str, str]:
    """Return the type of an operation and its root field: names of the schema's or ours, and no others."""
    document = context.graphql_document
    operation = None if document is None else get_operation_ast(document, context.operation_name)
    root = None if operation is None else _schema(context).get_root_type(operation.operation)
    if operation is None or root is None:
        return INVALID, INVALID
    fields = {
        selection.name.value if isinstance(selection, FieldNode) else SEVERAL
        for selection in operation.selection_set.selections
    }
    field = fields.pop() if len(fields) == 1 else SEVERAL
    if field.startswith("__"):
        return operation.operation.value, INTROSPECTION
    if field != SEVERAL and field not in root.fields:
        return INVALID, INVALID
    return operation.operation.value, field


def _schema(context: ExecutionContext) -> GraphQLSchema:
    return context.schema._schema  # noqa: SLF001  (Strawberry has no other way to it)
