"""Build the schema with its limits."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import strawberry
from graphql import GraphQLError
from graphql.validation import NoSchemaIntrospectionCustomRule
from strawberry.extensions import SchemaExtension
from strawberry.file_uploads import Upload
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import DEFAULT_ALLOWED_OPERATION_TYPES
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.graphql import OperationType

from app.catalogue.paging import MAX_PAGE_SIZE
from graphql_schema.answers import Answers
from graphql_schema.documents import ShapeRule, document_cache
from graphql_schema.errors import prepare_errors
from graphql_schema.execution import CompiledExecutor, core_schema, executed
from graphql_schema.inputs import UPLOAD
from graphql_schema.mutations import Mutation
from graphql_schema.operations import Limits, OperationRunner
from graphql_schema.queries import Query, Subscription
from graphql_schema.types.problem import EXCEPTION_HANDLERS


class OurSchema(strawberry.Schema):
    """A schema with operation limits and error codes."""

    def __init__(self, limits: Limits, answers: Answers, **arguments: Any) -> None:
        """Create the schema; the other arguments are Strawberry's."""
        super().__init__(**arguments)
        self._limits = limits
        self._answers = answers
        closed = self.config.disable_field_suggestions
        rules = (ShapeRule, *((NoSchemaIntrospectionCustomRule,) if closed else ()))
        self._documents = document_cache(core_schema(self), rules)

    def create_extensions_runner(
        self, execution_context: ExecutionContext, extensions: list[SchemaExtension]
    ) -> OperationRunner:
        """Return the extensions of an operation."""
        del extensions
        return OperationRunner(execution_context, self._documents, self._limits)

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
        runner = OperationRunner(context, self._documents, self._limits)
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
                result = await self._answers.of(
                    document, context, lambda: executed(core_schema(self), context)
                )
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
        max_cost: see `Limits`.
        timeout_seconds: see `Limits`.
        answer_cache_bytes: see `Answers`.
    """
    # Strawberry's logger would log every rejected query in full, including hostile ones.
    logging.getLogger("strawberry.execution").disabled = True
    return OurSchema(
        Limits(max_cost, timeout_seconds),
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
