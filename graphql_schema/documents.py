"""Documents, parsed, validated and analysed once for all requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, Final

from graphql import (
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_operation_ast,
    parse,
    specified_rules,
    visit,
)
from strawberry.schema.schema import validate_document

from app.errors import Code
from graphql_schema.complexity import OperationCost
from graphql_schema.errors import RefusedOperationError

MAX_TOKENS: Final = 1_000
PARSE_OPTIONS: Final[Mapping[str, Any]] = {"max_tokens": MAX_TOKENS, "allow_empty_selection_sets": False}
"""Options of graphql-core's parser, which by default accepts `{ genres {} }` against the specification."""

CACHED_DOCUMENTS: Final = 256

_MAX_NAME_SHOWN: Final = 100
"""Maximum length of an operation name in a message."""

INVALID: Final = "invalid"
SEVERAL: Final = "several"
INTROSPECTION: Final = "introspection"


class Document:
    """A parsed document."""

    def __init__(self, text: str, schema: GraphQLSchema, rules: Sequence[type[ASTValidationRule]]) -> None:
        """Parse a document.

        Raises:
            GraphQLError: the document has a syntax error or too many tokens.
        """
        self.node: DocumentNode = parse(text, **PARSE_OPTIONS)
        self._schema = schema
        self._rules = rules
        self._operations: dict[str | None, OperationDefinitionNode] = {}
        self._kinds: dict[str | None, tuple[str, str]] = {}
        self._costs: dict[str | None, OperationCost] = {}

    @cached_property
    def operations(self) -> dict[str | None, OperationType]:
        """Operation types by name; names are unique in valid documents."""
        return {
            node.name.value if node.name else None: node.operation
            for node in self.node.definitions
            if isinstance(node, OperationDefinitionNode)
        }

    def operation_type(self, name: str | None) -> OperationType:
        """Return the type of the operation to run.

        Args:
            name: name of the operation; None for the only one.

        Raises:
            RefusedOperationError: the operation does not exist, or there are several and no name was given.
        """
        operations = self.operations
        if name is None and len(operations) == 1:
            return next(iter(operations.values()))
        if name is not None and name in operations:
            return operations[name]
        if name is not None:
            message = f"The document has no operation named {name[:_MAX_NAME_SHOWN]!r}."
        elif operations:
            message = f"The document has {len(operations)} operations. Name the one to run in operationName."
        else:
            message = "The document has no operation."
        raise RefusedOperationError(Code.OPERATION_RESOLUTION_FAILURE, message)

    @cached_property
    def problems(self) -> list[GraphQLError]:
        """Validation errors; empty if the document is valid."""
        return validate_document(self._schema, self.node, (*specified_rules, *self._rules))

    @cached_property
    def field_names(self) -> frozenset[str]:
        """The names of all fields in the document, of any type."""
        return frozenset(coordinate.partition(".")[2] for coordinate in self.coordinates)

    @cached_property
    def coordinates(self) -> frozenset[str]:
        """Schema coordinates of all fields and arguments, such as `Song.title` and `Query.songs(genre:)`."""
        types = TypeInfo(self._schema)
        visitor = _Coordinates(types)
        visit(self.node, TypeInfoVisitor(types, visitor))
        return frozenset(visitor.names)

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """Return the operation by name, or the only one; None if the document is invalid."""
        known = self._operations.get(name)
        if known is None and not self.problems:
            known = get_operation_ast(self.node, name)
            if known is not None:
                self._operations[name] = known
        return known

    def cost(self, operation_name: str | None, variables: Mapping[str, Any]) -> int:
        """Return the cost of an operation; the document must be valid."""
        known = self._costs.get(operation_name)
        if known is None:
            known = OperationCost(self._schema, self.node, operation_name)
            self._costs[operation_name] = known
        return known.of(variables)

    def kind_and_field(self, operation_name: str | None) -> tuple[str, str]:
        """Return the type of an operation and its root field, both safe for logs and metrics."""
        known = self._kinds.get(operation_name)
        if known is None:
            known = self._look(operation_name)
            if known[0] != INVALID:
                self._kinds[operation_name] = known
        return known

    def _look(self, operation_name: str | None) -> tuple[str, str]:
        operation = get_operation_ast(self.node, operation_name)
        root = None if operation is None else self._schema.get_root_type(operation.operation)
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


class _Coordinates(Visitor):
    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self._types = types
        self.names: set[str] = set()

    def enter_field(self, node: FieldNode, *_: object) -> None:
        field = f"{self._types.get_parent_type()}.{node.name.value}"
        self.names.add(field)
        self.names |= {f"{field}({argument.name.value}:)" for argument in node.arguments or ()}


def document_cache(
    schema: GraphQLSchema, rules: Sequence[type[ASTValidationRule]]
) -> Callable[[str], Document]:
    """Return a function that parses documents and caches the most recent ones.

    Args:
        schema: the schema.
        rules: validation rules in addition to GraphQL's own.
    """
    return lru_cache(CACHED_DOCUMENTS)(lambda text: Document(text, schema, rules))
