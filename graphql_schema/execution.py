"""An executor that completes plain objects, and lists of them, with compiled functions.

To read an attribute, graphql-core builds a path, an info object and an argument dictionary for every field
of every object. `graphql_schema.compiled_values` generates Python source for the loop instead. This module
caches and calls the generated functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, ClassVar, Final, cast

from graphql import (
    ExecutionResult,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types import ExecutionContext

from graphql_schema.compiled_values import Compiler, Plan

CACHED_PLANS: Final = 1_024
"""Maximum number of compiled selections; the oldest is evicted."""


class CompiledExecutor(StrawberryGraphQLCoreExecutionContext):
    """Completes plain objects and lists with compiled functions, and everything else as graphql-core does."""

    _plans: ClassVar[dict[tuple[object, ...], tuple[Plan | None, object]]] = {}

    def complete_iterable_value(
        self,
        item_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        items: Iterable[Any],
        position_context: Any,
    ) -> Any:
        """Complete a list."""
        if type(items) is list and position_context is None:
            plan = self._plan(item_type, field_details_list, of_list=True)
            if plan is not None:
                with suppress(Exception):  # the standard executor reports the error
                    return plan(items)
        return super().complete_iterable_value(
            item_type, field_details_list, info, path, items, position_context
        )

    def complete_object_value(
        self,
        return_type: GraphQLObjectType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        """Complete an object."""
        if position_context is None:
            plan = self._plan(return_type, field_details_list, of_list=False)
            if plan is not None:
                with suppress(Exception):  # the standard executor reports the error
                    return plan(result)
        return super().complete_object_value(
            return_type, field_details_list, info, path, result, position_context
        )

    def _plan(self, type_: GraphQLOutputType, details: FieldDetailsList, *, of_list: bool) -> Plan | None:
        """Return the function that completes a value or list of a type, or None."""
        if self.middleware_manager and self.middleware_manager.middlewares:
            return None
        # Boolean variables select fields through @include and @skip.
        conditions = (
            (name, value) for name, value in self.variable_values.coerced.items() if type(value) is bool
        )
        fragments = self.fragment_definitions.values()
        nodes = (*(field.node for field in details), *fragments)
        identity = (type_, of_list, *conditions, *map(id, nodes))
        known = self._plans.get(identity)
        if known is not None:
            return known[0]
        try:
            whole: Any = GraphQLList(type_) if of_list else type_
            plan = Compiler(self).compiled(GraphQLNonNull(whole), details)
        except Exception:  # noqa: BLE001 - the standard executor reports the error
            plan = None
        while len(self._plans) >= CACHED_PLANS:
            self._plans.pop(next(iter(self._plans)), None)
        self._plans[identity] = plan, nodes  # keep references, so that their ids stay unique
        return plan


def provided_operation_name(context: ExecutionContext) -> str | None:
    """Return the requested operation name; Strawberry's property defaults to the first operation."""
    return context._provided_operation_name  # noqa: SLF001 - there is no public accessor


async def executed(schema: GraphQLSchema, context: ExecutionContext) -> ExecutionResult:
    """Execute the operation of a context with a valid document, and return its result."""
    assert context.graphql_document is not None
    executor = CompiledExecutor.build(
        schema,
        context.graphql_document,
        context.root_value,
        context.context,
        context.variables,
        context.operation_name,
        is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]
        operation_extensions=context.operation_extensions,
    )
    if isinstance(executor, list):
        return ExecutionResult(None, executor)
    result: Any = executor.execute_operation()
    return cast("ExecutionResult", await result if optimized_is_awaitable(result) else result)
