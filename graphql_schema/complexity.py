"""The cost of an operation: the values it may return, and the SQL statements it may execute.

A field costs 1. The cost of a list's selection is multiplied by `first`, or by a default if there is none.
Fields that execute their own statement cost more. The cost is an upper bound: selections with `@include` or
`@skip`, and fragments on mutually exclusive types, always count.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    get_named_type,
    get_nullable_type,
    is_list_type,
    print_ast,
    value_from_ast_untyped,
)

from app.catalogue.paging import MAX_PAGE_SIZE
from app.errors import Code

STATEMENT_COST: Final = 50
"""Cost of a SQL statement, in values returned."""

EXPLANATION_COST: Final = 10
"""Additional cost of explaining a song, which takes the model two milliseconds."""

INTROSPECTION_COST: Final = 1_000
"""Fixed cost of an introspection query; graphql-core limits its depth."""

LIST_SIZE: Final = 10
"""Assumed length of lists without `first`, about the number of genres."""

_MAX_REPORTED: Final = 10**15
"""Maximum reported cost, which nested fragments can exceed; JavaScript represents it exactly."""

_MAX_KNOWN: Final = 128
"""Number of cached costs per operation, one for each combination of page sizes."""

_NO_SIZE: Final = (None, Undefined)

_SIZED_BY_PARENT: Final = ("Connection", "ClassifiedSongs", "PredictedSongs", "VerifiedSongs")
"""Suffixes of types whose lists are as long as the field that returns the type says."""

_STATEMENTS: Final = {"totalCount", "accuracyOnVerified", "Batch.problems"}
"""Fields, besides connections, that execute a statement."""


class OperationCost:
    """The cost of one operation, cached by page sizes."""

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode
    ) -> None:
        """Prepare an operation of a document, which need not be valid yet."""
        definitions = {
            definition.variable.name.value: definition for definition in operation.variable_definitions or ()
        }
        types = {name: print_ast(definition.type).strip("[]!") for name, definition in definitions.items()}
        # `first` is the only argument of type Int; inputs cost as much as they have songs.
        self._sizes = [name for name, type_ in types.items() if type_ == "Int"]
        self._counts_inputs = any(type_.endswith("Input") for type_ in types.values())
        self._known: dict[tuple[object, ...], int] = {}
        self._root = schema.get_root_type(operation.operation)
        self._selections = operation.selection_set
        self._types = schema.type_map
        self._defaults = {
            name: value_from_ast_untyped(definition.default_value)
            for name, definition in definitions.items()
            if definition.default_value is not None
        }
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }

    def of(self, variables: Mapping[str, Any]) -> int:
        """Return the cost; the document must be valid, but the variables have not been validated."""
        sizes = tuple(variables.get(name, Undefined) for name in self._sizes)
        if self._counts_inputs or not all(type(size) is int or size in _NO_SIZE for size in sizes):
            return self._compute(variables)
        known = self._known.get(sizes)
        if known is None:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            known = self._known[sizes] = self._compute(variables)
        return known

    def _compute(self, variables: Mapping[str, Any]) -> int:
        assert self._root is not None
        costs = _Costs(self._types, self._fragments, {**self._defaults, **variables})
        return min(costs.of(self._selections, self._root, 1), _MAX_REPORTED)


class _Costs:
    """Computes costs with given variables. Each fragment is visited once per page size."""

    def __init__(
        self,
        types: Mapping[str, GraphQLNamedType],
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: dict[str, Any],
    ) -> None:
        self._types = types
        self._fragments = fragments
        self._variables = variables
        self._known: dict[tuple[str, int], int] = {}

    def of(self, selections: SelectionSetNode, parent: GraphQLNamedType, page: int) -> int:
        """Return the cost of a selection on one object; `page` is the page size if the object is a page."""
        cost = 0
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                cost += self._of_field(selection, parent, page)
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                narrowed = parent if condition is None else self._types[condition.name.value]
                cost += self.of(selection.selection_set, narrowed, page)
            elif isinstance(selection, FragmentSpreadNode):
                cost += self._of_fragment(selection.name.value, page)
        return cost

    def _of_fragment(self, name: str, page: int) -> int:
        key = (name, page)
        if key not in self._known:
            fragment = self._fragments[name]
            narrowed = self._types[fragment.type_condition.name.value]
            self._known[key] = self.of(fragment.selection_set, narrowed, page)
        return self._known[key]

    def _of_field(self, node: FieldNode, parent: GraphQLNamedType, page: int) -> int:
        name = node.name.value
        if name in ("__schema", "__type"):
            return INTROSPECTION_COST
        if not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) or name not in parent.fields:
            return 1  # __typename
        field = parent.fields[name]
        below = get_named_type(field.type)
        cost = 1
        if below.name.endswith("Connection") or name in _STATEMENTS or f"{parent.name}.{name}" in _STATEMENTS:
            cost += STATEMENT_COST
        elif name == "explanation":
            cost += EXPLANATION_COST
        if node.selection_set is None:
            return cost
        is_list = is_list_type(get_nullable_type(field.type))
        if "first" in field.args:
            size = self._first(node, field)
        elif is_list:
            size = page if parent.name.endswith(_SIZED_BY_PARENT) else LIST_SIZE
        else:
            size = self._song_count(node)
        if is_list:
            return cost + size * self.of(node.selection_set, below, 1)
        return cost + self.of(node.selection_set, below, size)

    def _first(self, node: FieldNode, field: GraphQLField) -> int:
        value = self._argument(node, "first")
        first = field.args["first"].default_value if value in (None, Undefined) else value
        # Invalid numbers are rejected later; until then they count as the maximum.
        in_range = isinstance(first, int | float) and 0 <= first <= MAX_PAGE_SIZE
        return int(first) if in_range else MAX_PAGE_SIZE

    def _song_count(self, node: FieldNode) -> int:
        """Return the number of songs in a field's `input`, and therefore in its result; 1 without `input`."""
        value = self._argument(node, "input")
        songs = value.get("songs") if isinstance(value, Mapping) else value
        return len(songs) if isinstance(songs, list) else 1

    def _argument(self, node: FieldNode, name: str) -> Any:
        for argument in node.arguments or ():
            if argument.name.value == name:
                return value_from_ast_untyped(argument.value, self._variables)
        return Undefined


def too_complex(cost: int, limit: int) -> GraphQLError:
    """Return the error for an operation that exceeds the cost limit."""
    return GraphQLError(
        f"Query cost {cost:,} exceeds the limit of {limit:,}. Reduce `first` or select fewer fields.",
        extensions={"code": Code.QUERY_TOO_COMPLEX, "cost": cost, "limit": limit},
    )
