"""What an operation may cost: the values it may return, and the statements it may send.

A field costs 1, and the fields below it as often as there may be objects in its list: `first` says how many,
or else a few. A field that sends a statement of its own to the database costs more. The cost is an upper
bound: what `@include` or `@skip` may leave out, and fragments of types that exclude each other, all count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Undefined,
    ValueNode,
    get_named_type,
    get_nullable_type,
    get_operation_ast,
    is_list_type,
    value_from_ast_untyped,
)
from strawberry.extensions import SchemaExtension

from app.services.catalogue import MAX_PAGE_SIZE

QUERY_TOO_COMPLEX: Final = "QUERY_TOO_COMPLEX"

STATEMENT_COST: Final = 50
"""What a statement to the database costs, in values returned."""

INTROSPECTION_COST: Final = 1_000
"""What a look at the schema costs, whatever of it is asked for: graphql-core bounds its depth."""

LIST_SIZE: Final = 10
"""How many objects count for a list that takes no `first`: there are about so many genres."""

_MAX_TOLD: Final = 10**15
"""A higher cost, as fragments within fragments can have, is told as this: JavaScript reads it exactly."""

_SIZED_BY_PARENT = "ClassifiedSongs"
"""Beside connections, the type whose list is as long as the field that returns it says."""


class CostLimiter(SchemaExtension):
    """Refuses operations that cost too much, before anything is executed.

    It stands behind the cache of validations and looks at each request anew: the cost depends on variables.
    """

    def __init__(self, max_cost: int) -> None:
        super().__init__()
        self._max_cost = max_cost

    def on_validate(self) -> Iterator[None]:
        """Work out the cost of a valid operation."""
        context = self.execution_context
        document = context.graphql_document
        if not context.pre_execution_errors and document is not None:
            cost = operation_cost(
                context.schema._schema,  # noqa: SLF001  (Strawberry has no other way to it)
                document,
                context.operation_name,
                context.variables or {},
            )
            if cost > self._max_cost:
                context.pre_execution_errors = [_too_complex(cost, self._max_cost)]
        yield


def operation_cost(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation_name: str | None = None,
    variables: Mapping[str, Any] | None = None,
) -> int:
    """Return what one operation of a valid document costs.

    Args:
        schema: whose fields it asks for.
        document: valid, so that its fragments do not contain themselves.
        operation_name: which operation; None if there is one alone.
        variables: as they came, not checked yet.
    """
    operation = get_operation_ast(document, operation_name)
    if operation is None:
        return 0
    root = schema.get_root_type(operation.operation)
    if root is None:
        return 0
    cost = _Costs(schema, document, operation, variables or {}).of(operation.selection_set, root, 1)
    return min(cost, _MAX_TOLD)


class _Costs:
    """The costs of one operation. Each fragment is looked at once for each size of page it stands in."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
    ) -> None:
        self._schema = schema
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._variables = {
            **{
                definition.variable.name.value: value_from_ast_untyped(definition.default_value)
                for definition in operation.variable_definitions or ()
                if definition.default_value is not None
            },
            **variables,
        }
        self._known: dict[tuple[str, int], int] = {}

    def of(self, selections: SelectionSetNode, parent: GraphQLNamedType, page: int) -> int:
        """Return the cost of what is selected of one object; `page` is the size of its page, if it is one."""
        cost = 0
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                cost += self._of_field(selection, parent, page)
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                narrowed = parent if condition is None else self._type(condition.name.value)
                cost += self.of(selection.selection_set, narrowed, page)
            elif isinstance(selection, FragmentSpreadNode):
                cost += self._of_fragment(selection.name.value, page)
        return cost

    def _of_fragment(self, name: str, page: int) -> int:
        key = (name, page)
        if key not in self._known:
            fragment = self._fragments[name]
            self._known[key] = self.of(
                fragment.selection_set, self._type(fragment.type_condition.name.value), page
            )
        return self._known[key]

    def _of_field(self, node: FieldNode, parent: GraphQLNamedType, page: int) -> int:
        name = node.name.value
        if name in ("__schema", "__type"):
            return INTROSPECTION_COST
        if not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) or name not in parent.fields:
            return 1  # __typename
        field = parent.fields[name]
        below = get_named_type(field.type)
        cost = 1 + (STATEMENT_COST if _sends_statement(parent.name, name, below.name) else 0)
        if node.selection_set is None:
            return cost
        is_list = is_list_type(get_nullable_type(field.type))
        if "first" in field.args:
            size = self._first(node, field)
        elif is_list:
            size = page if _is_sized_by_parent(parent.name) else LIST_SIZE
        else:
            size = self._song_count(node)
        if is_list:
            return cost + size * self.of(node.selection_set, below, 1)
        return cost + self.of(node.selection_set, below, size)

    def _first(self, node: FieldNode, field: GraphQLField) -> int:
        given = self._argument(node, "first")
        first = field.args["first"].default_value if given in (None, Undefined) else given
        # What is no number in range is refused later on; until then it counts as the most.
        in_range = isinstance(first, int | float) and 0 <= first <= MAX_PAGE_SIZE
        return int(first) if in_range else MAX_PAGE_SIZE

    def _song_count(self, node: FieldNode) -> int:
        """Return how many songs a `classifySongs` brings, and so may return; 1 for any other field."""
        given = self._argument(node, "input")
        songs = given.get("songs") if isinstance(given, Mapping) else None
        return len(songs) if isinstance(songs, list) else 1

    def _argument(self, node: FieldNode, name: str) -> Any:
        values: Iterator[ValueNode] = (
            argument.value for argument in node.arguments or () if argument.name.value == name
        )
        value = next(values, None)
        return Undefined if value is None else value_from_ast_untyped(value, self._variables)

    def _type(self, name: str) -> GraphQLNamedType:
        return self._schema.type_map[name]


def _sends_statement(parent: str, field: str, below: str) -> bool:
    return (
        below.endswith("Connection") or field == "totalCount" or (parent == "Batch" and field == "problems")
    )


def _is_sized_by_parent(name: str) -> bool:
    return name.endswith("Connection") or name == _SIZED_BY_PARENT


def _too_complex(cost: int, limit: int) -> GraphQLError:
    return GraphQLError(
        f"The operation costs {cost:,}, and one may cost {limit:,}: ask for fewer objects at a time by "
        "`first`, or for less of each.",
        extensions={"code": QUERY_TOO_COMPLEX, "cost": cost, "limit": limit},
    )
