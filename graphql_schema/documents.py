"""Documents, parsed, validated and analysed once for all requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from graphql import (
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    parse,
    specified_rules,
    visit,
)
from graphql.validation import ASTValidationContext
from strawberry.schema.schema import validate_document
from strawberry.types.graphql import OperationType

from app.errors import Code
from graphql_schema.complexity import OperationCost
from graphql_schema.errors import RefusedOperationError

MAX_TOKENS: Final = 1_000
PARSE_OPTIONS: Final[Mapping[str, Any]] = {"max_tokens": MAX_TOKENS, "allow_empty_selection_sets": False}
"""Options of graphql-core's parser, which by default accepts `{ genres {} }` against the specification."""

MAX_DEPTH: Final = 15
MAX_ALIASES: Final = 15

CACHED_DOCUMENTS: Final = 256
"""Size of the schema's LRU cache of parsed documents."""

_MAX_NAME_SHOWN: Final = 100
"""Maximum length of an operation name in a message."""

INVALID: Final = "invalid"
SEVERAL: Final = "several"
INTROSPECTION: Final = "introspection"


class Operation:
    """An operation of a document."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, node: OperationDefinitionNode) -> None:
        self.type = OperationType(node.operation.value)
        self.cost = OperationCost(schema, document, node)
        self._root = schema.get_root_type(node.operation)
        self._selections = node.selection_set.selections

    @cached_property
    def kind_and_field(self) -> tuple[str, str]:
        """The type of the operation and its root field, both safe for logs and metrics."""
        fields = {
            selection.name.value if isinstance(selection, FieldNode) else SEVERAL
            for selection in self._selections
        }
        field = fields.pop() if len(fields) == 1 else SEVERAL
        if field.startswith("__"):
            return self.type.value, INTROSPECTION
        if self._root is None or (field != SEVERAL and field not in self._root.fields):
            return INVALID, INVALID
        return self.type.value, field


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
        # Names are unique in valid documents.
        self._operations = {
            node.name.value if node.name else None: Operation(schema, self.node, node)
            for node in self.node.definitions
            if isinstance(node, OperationDefinitionNode)
        }

    def operation(self, name: str | None) -> Operation:
        """Return the operation of this name, or the only one.

        Raises:
            RefusedOperationError: the operation does not exist, or there are several and no name was given.
        """
        operations = self._operations
        if name is None and len(operations) == 1:
            return next(iter(operations.values()))
        if name is not None:
            if name in operations:
                return operations[name]
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


class ShapeRule(ASTValidationRule):
    """Reports operations that are too deep, and documents with too many aliases.

    It visits each fragment once; Strawberry's limiters do so each time it is spread, so that nested fragments
    take exponential time.
    """

    def __init__(self, context: ASTValidationContext) -> None:
        super().__init__(context)
        self._known: dict[str, tuple[int, int]] = {}

    def enter_document(self, node: DocumentNode, *_: Any) -> None:
        """Check the document."""
        aliases = 0
        for definition in node.definitions:
            if isinstance(definition, OperationDefinitionNode):
                depth, own_aliases = self._depth_and_aliases(definition.selection_set)
                aliases += own_aliases
                if depth > MAX_DEPTH:
                    name = definition.name.value if definition.name else "anonymous"
                    message = f"The operation '{name}' is too deep; at most {MAX_DEPTH} levels are allowed."
                    self.report_error(GraphQLError(message, definition))
        if aliases > MAX_ALIASES:
            self.report_error(
                GraphQLError(f"The document has too many aliases; at most {MAX_ALIASES} are allowed.")
            )

    def _depth_and_aliases(self, selections: SelectionSetNode) -> tuple[int, int]:
        depth = aliases = 0
        for selection in selections.selections:
            below = (0, 0)
            if isinstance(selection, FieldNode):
                if selection.selection_set is not None:
                    below = self._depth_and_aliases(selection.selection_set)
                    # Introspection queries are deep by nature; graphql-core limits them.
                    below = (0 if selection.name.value.startswith("__") else below[0] + 1, below[1])
                aliases += selection.alias is not None
            elif isinstance(selection, InlineFragmentNode):
                below = self._depth_and_aliases(selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode):
                below = self._of_fragment(selection.name.value)
            depth, aliases = max(depth, below[0]), aliases + below[1]
        return depth, aliases

    def _of_fragment(self, name: str) -> tuple[int, int]:
        fragment = self.context.get_fragment(name)
        if fragment is None:
            return 0, 0  # reported by another rule
        if name not in self._known:
            self._known[name] = (0, 0)  # for cyclic fragments, which another rule reports
            self._known[name] = self._depth_and_aliases(fragment.selection_set)
        return self._known[name]


class _Coordinates(Visitor):
    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self._types = types
        self.names: set[str] = set()

    def enter_field(self, node: FieldNode, *_: object) -> None:
        field = f"{self._types.get_parent_type()}.{node.name.value}"
        self.names.add(field)
        self.names |= {f"{field}({argument.name.value}:)" for argument in node.arguments or ()}
