"""The schema, and what surrounds each operation: limits, loaders, error codes, logs and metrics."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from functools import lru_cache
from typing import Any, Final

import strawberry
from graphql import GraphQLError
from graphql.validation import NoSchemaIntrospectionCustomRule
from strawberry.extensions import SchemaExtension
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.file_uploads import Upload
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import DEFAULT_ALLOWED_OPERATION_TYPES
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.graphql import OperationType

from app.catalogue.paging import MAX_PAGE_SIZE
from app.errors import Code
from app.observability import metrics
from graphql_schema.answers import Answers
from graphql_schema.complexity import too_complex
from graphql_schema.context import Notes, notes
from graphql_schema.documents import CACHED_DOCUMENTS, INVALID, PARSE_OPTIONS, Document, Operation, ShapeRule
from graphql_schema.errors import RefusedOperationError, prepare_errors
from graphql_schema.execution import CompiledExecutor, executed, provided_operation_name
from graphql_schema.inputs import UPLOAD
from graphql_schema.mutations import Mutation
from graphql_schema.queries import Query, Subscription
from graphql_schema.types.problem import EXCEPTION_HANDLERS

OK: Final = "ok"
CANCELLED: Final = "cancelled"

_NOT_ALLOWED: Final = {
    OperationType.SUBSCRIPTION: (
        Code.NOT_ACCEPTABLE,
        (
            "Subscriptions require a stream. Send Accept: text/event-stream, or use a WebSocket with the "
            "protocol graphql-transport-ws."
        ),
    ),
    OperationType.MUTATION: (Code.METHOD_NOT_ALLOWED, "Mutations are not allowed over GET. Use POST."),
}
"""By operation type: the error if the kind of request does not support it; all support queries."""


class OurSchema(strawberry.Schema):
    """A schema with operation limits, a cache of answers, and error codes.

    Attributes:
        documents: parses a document, and caches the most recent ones.
        max_cost: maximum cost of an operation, see `graphql_schema.complexity`; None for no limit.
        timeout_seconds: timeout of queries; None for no limit.
    """

    def __init__(
        self, max_cost: int | None, timeout_seconds: float | None, answers: Answers, **arguments: Any
    ) -> None:
        """Create the schema; the other arguments are Strawberry's."""
        super().__init__(**arguments)
        self.max_cost = max_cost
        self.timeout_seconds = timeout_seconds
        self._answers = answers
        closed = self.config.disable_field_suggestions
        rules = (ShapeRule, *((NoSchemaIntrospectionCustomRule,) if closed else ()))
        self.documents = lru_cache(CACHED_DOCUMENTS)(lambda text: Document(text, self._schema, rules))

    def create_extensions_runner(
        self, execution_context: ExecutionContext, extensions: list[SchemaExtension]
    ) -> OperationRunner:
        """Return the extensions of an operation."""
        del extensions
        return OperationRunner(execution_context, self)

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """Execute an operation; the result also has the errors that occur before execution."""
        allowed = (
            DEFAULT_ALLOWED_OPERATION_TYPES if allowed_operation_types is None else allowed_operation_types
        )
        context = self._create_execution_context(
            query, allowed, variable_values, context_value, root_value, operation_name, operation_extensions
        )
        runner = OperationRunner(context, self)
        async with runner.operation():
            result = await self._executed(context, runner)
            if result.errors:
                self.process_errors(result.errors)
            context.result = result
        return result

    async def _executed(self, context: ExecutionContext, runner: OperationRunner) -> ExecutionResult:
        try:
            document = runner.parse()
            if errors := runner.validate():
                return ExecutionResult(None, errors)
            async with runner.executing():
                result = await self._answers.of(document, context, lambda: executed(self._schema, context))
        except GraphQLError as error:
            return ExecutionResult(None, [error])
        except Exception as error:  # noqa: BLE001 - logged and masked
            return ExecutionResult(None, [GraphQLError(str(error), original_error=error)])
        return ExecutionResult(result.data, result.errors)

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Prepare errors to be sent; Strawberry calls this for streams."""
        del execution_context
        prepare_errors(errors, suggestions=not self.config.disable_field_suggestions)


class OperationRunner(SchemaExtensionsRunner):
    """What surrounds an operation: Strawberry enters these contexts for streams, `OurSchema` for others."""

    def __init__(self, execution_context: ExecutionContext, schema: OurSchema) -> None:
        super().__init__(execution_context)
        self._schema = schema
        self._notes = Notes()
        self._operation: Operation | None = None

    @asynccontextmanager
    async def operation(self) -> AsyncIterator[None]:  # type: ignore[override]
        """Give the operation new loaders, as a WebSocket's context may live for hours; log and count it."""
        begin = time.perf_counter()
        notes.set(self._notes)
        context = self.execution_context.context
        context.reset_loaders()
        outcome = CANCELLED
        try:
            yield
            outcome = self._notes.refusal or OK
        finally:
            seconds = time.perf_counter() - begin
            kind, field = (INVALID, INVALID) if self._operation is None else self._operation.kind_and_field
            outcome = _error_code(self.execution_context) or outcome
            operation = metrics.Operation(kind, field, outcome, seconds, self._notes.rows)
            context.on_operation(context.connection, context.caller, operation)

    def parse(self) -> Document:
        """Look up the document, and select the operation.

        Raises:
            GraphQLError: the document has a syntax error.
            RefusedOperationError: there is no such operation, or the kind of request does not support it.
        """
        context = self.execution_context
        assert context.query is not None  # checked with the request
        self._notes.document = document = self._schema.documents(context.query)
        context.graphql_document = document.node
        self._operation = document.operation(provided_operation_name(context))
        if self._operation.type not in context.allowed_operations:
            raise RefusedOperationError(*_NOT_ALLOWED[self._operation.type])
        return document

    def validate(self) -> list[GraphQLError]:
        """Return why the operation is not executed: an invalid document, or its cost."""
        document, max_cost = self._notes.document, self._schema.max_cost
        assert document is not None
        assert self._operation is not None
        if document.problems or max_cost is None:
            return list(document.problems)
        cost = self._operation.cost.of(self.execution_context.variables or {})
        return [too_complex(cost, max_cost)] if cost > max_cost else []

    def executing(self) -> AbstractAsyncContextManager[object]:  # type: ignore[override]
        """Refuse clients revoked since they opened their WebSocket, and apply the query timeout."""
        self.execution_context.context.check_caller()
        seconds = self._schema.timeout_seconds
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


def _error_code(context: ExecutionContext) -> str | None:
    errors = context.pre_execution_errors or (context.result and context.result.errors)
    return (errors[0].extensions or {}).get("code") if errors else None


def build_schema(
    *,
    introspection: bool = True,
    max_cost: int | None = None,
    timeout_seconds: float | None = None,
    answer_cache_bytes: int = 0,
) -> strawberry.Schema:
    """Build the schema, by default without limits and without a cache of answers.

    Args:
        introspection: whether to allow introspection and suggestions for misspelt names.
        max_cost: see `OurSchema`.
        timeout_seconds: see `OurSchema`.
        answer_cache_bytes: see `Answers`.
    """
    # Strawberry's logger would log every rejected query in full, including hostile ones.
    logging.getLogger("strawberry.execution").disabled = True
    return OurSchema(
        max_cost,
        timeout_seconds,
        Answers(answer_cache_bytes),
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        execution_context_class=CompiledExecutor,
        exception_handlers=EXCEPTION_HANDLERS,
        config=StrawberryConfig(
            scalar_map={Upload: UPLOAD},
            relay_max_results=MAX_PAGE_SIZE,
            disable_field_suggestions=not introspection,
        ),
    )
