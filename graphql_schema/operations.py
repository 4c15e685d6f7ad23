"""Per-operation concerns: limits, loaders, error masking, logs and metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from graphql import GraphQLError
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.types import ExecutionContext
from strawberry.types.graphql import OperationType

from app.errors import Code
from app.observability import metrics
from graphql_schema.complexity import too_complex
from graphql_schema.documents import INVALID, PARSE_OPTIONS, Document, Operation
from graphql_schema.errors import RefusedOperationError
from graphql_schema.execution import provided_operation_name

OK: Final = "ok"
CANCELLED: Final = "cancelled"


@dataclass
class _Noted:
    document: Document | None = None
    refusal: str | None = None
    rows: int | None = None


_noted: ContextVar[_Noted] = ContextVar("noted")
"""Of the current operation; operations on one WebSocket share a context and run concurrently."""


def selects_any(fields: AbstractSet[str]) -> bool:
    """Return whether the current document contains any of these fields, at any level."""
    document = _noted.get().document
    return document is None or not fields.isdisjoint(document.field_names)


def note_refusal(code: str) -> None:
    """Record a rejection that is returned as a union member instead of a GraphQL error."""
    _noted.get().refusal = code


def note_rows(rows: int) -> None:
    """Record the number of song rows sent with the operation."""
    _noted.get().rows = rows


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of an operation.

    Attributes:
        max_cost: maximum cost, see `graphql_schema.complexity`; None for no limit.
        timeout_seconds: timeout of queries; None for no limit.
    """

    max_cost: int | None = None
    timeout_seconds: float | None = None


class OperationRunner(SchemaExtensionsRunner):
    """What surrounds an operation: Strawberry enters these contexts for streams, `OurSchema` for others."""

    def __init__(
        self, execution_context: ExecutionContext, documents: Callable[[str], Document], limits: Limits
    ) -> None:
        super().__init__(execution_context)
        self._documents = documents
        self._limits = limits
        self._noted = _Noted()
        self._operation: Operation | None = None

    @asynccontextmanager
    async def operation(self) -> AsyncIterator[None]:  # type: ignore[override]
        """Give the operation new loaders, as a WebSocket's context may live for hours; log and count it."""
        begin = time.perf_counter()
        _noted.set(self._noted)
        self.execution_context.context.reset_loaders()
        cancelled = True
        try:
            yield
            cancelled = False
        finally:
            context, noted, operation = self.execution_context, self._noted, self._operation
            kind, field = (INVALID, INVALID) if operation is None else operation.kind_and_field
            end = CANCELLED if cancelled else noted.refusal or OK
            seconds = time.perf_counter() - begin
            context.context.observe(
                metrics.Operation(kind, field, _error_code(context) or end, seconds, noted.rows)
            )

    def parse(self) -> Document:
        """Look up the document, and select the operation.

        Raises:
            GraphQLError: the document has a syntax error.
            RefusedOperationError: there is no such operation, or the kind of request does not support it.
        """
        context = self.execution_context
        assert context.query is not None  # checked with the request
        self._noted.document = document = self._documents(context.query)
        context.graphql_document = document.node
        self._operation = document.operation(provided_operation_name(context))
        if self._operation.type not in context.allowed_operations:
            raise _not_allowed(self._operation.type)
        return document

    def validate(self) -> list[GraphQLError]:
        """Return why the operation is not executed: an invalid document, or its cost."""
        document, operation, max_cost = self._noted.document, self._operation, self._limits.max_cost
        assert document is not None
        assert operation is not None
        if document.problems or max_cost is None:
            return list(document.problems)
        cost = operation.cost.of(self.execution_context.variables or {})
        return [too_complex(cost, max_cost)] if cost > max_cost else []

    def executing(self) -> AbstractAsyncContextManager[object]:  # type: ignore[override]
        """Refuse clients revoked since they opened their WebSocket, and apply the query timeout."""
        self.execution_context.context.check_caller()
        seconds = self._limits.timeout_seconds
        is_query = self._operation is not None and self._operation.type is OperationType.QUERY
        return _in_time(seconds) if is_query and seconds is not None else nullcontext()

    @asynccontextmanager
    async def parsing(self) -> AsyncIterator[None]:  # type: ignore[override]
        """Parse the document; Strawberry reports a syntax error by parsing it again."""
        self.execution_context.parse_options.update(PARSE_OPTIONS)  # type: ignore[typeddict-item]
        with suppress(GraphQLError):
            self.parse()
        yield

    @asynccontextmanager
    async def validation(self) -> AsyncIterator[None]:  # type: ignore[override]
        """Validate the document in place of Strawberry."""
        self.execution_context.pre_execution_errors = self.validate()
        yield


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncIterator[None]:
    """Cancel a slow query and its SQL statements.

    Mutations have no timeout: uploads have other limits, and a client could not tell whether an interrupted
    upload was stored.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise GraphQLError(
            f"The query exceeded the time limit of {seconds:g} seconds. Request less data.",
            extensions={"code": Code.QUERY_TIMEOUT},
        ) from None


def _not_allowed(type_: OperationType) -> RefusedOperationError:
    """Return the error for an operation type that the kind of request does not support."""
    if type_ is OperationType.SUBSCRIPTION:
        return RefusedOperationError(
            Code.NOT_ACCEPTABLE,
            "Subscriptions require a stream. Send Accept: text/event-stream, or use a WebSocket with the "
            "protocol graphql-transport-ws.",
        )
    return RefusedOperationError(Code.METHOD_NOT_ALLOWED, "Mutations are not allowed over GET. Use POST.")


def _error_code(context: ExecutionContext) -> str | None:
    errors = context.pre_execution_errors or (context.result and context.result.errors)
    return (errors[0].extensions or {}).get("code") if errors else None
