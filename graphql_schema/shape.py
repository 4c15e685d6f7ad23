"""Limits on the depth and the aliases of a document.

Strawberry's limiters visit a fragment each time it is spread, so nested fragments take exponential time.
Here, each fragment is visited once.
"""

from __future__ import annotations

from typing import Any, Final

from graphql import (
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

MAX_DEPTH: Final = 15
MAX_ALIASES: Final = 15


class ShapeRule(ASTValidationRule):
    """Reports operations that are too deep, and documents with too many aliases."""

    def enter_document(self, node: DocumentNode, *_: Any) -> None:
        """Check the document."""
        shape = _Shape(node)
        for definition in node.definitions:
            if isinstance(definition, OperationDefinitionNode):
                depth = shape.of(definition.selection_set)[0]
                if depth > MAX_DEPTH:
                    name = definition.name.value if definition.name else "anonymous"
                    message = f"The operation '{name}' is too deep; at most {MAX_DEPTH} levels are allowed."
                    self.report_error(GraphQLError(message, definition))
        if shape.aliases > MAX_ALIASES:
            self.report_error(
                GraphQLError(f"The document has too many aliases; at most {MAX_ALIASES} are allowed.")
            )


class _Shape:
    """The depths and aliases of a document."""

    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._known: dict[str, tuple[int, int]] = {}
        self.aliases = sum(
            self.of(definition.selection_set)[1]
            for definition in document.definitions
            if isinstance(definition, OperationDefinitionNode)
        )

    def of(self, selections: SelectionSetNode) -> tuple[int, int]:
        """Return the depth and the number of aliases of a selection."""
        depth = aliases = 0
        for selection in selections.selections:
            below = (0, 0)
            if isinstance(selection, FieldNode):
                if selection.selection_set is not None:
                    below = self.of(selection.selection_set)
                    # Introspection queries are deep by nature; graphql-core limits them.
                    below = (0 if selection.name.value.startswith("__") else below[0] + 1, below[1])
                aliases += selection.alias is not None
            elif isinstance(selection, InlineFragmentNode):
                below = self.of(selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode):
                below = self._of_fragment(selection.name.value)
            depth, aliases = max(depth, below[0]), aliases + below[1]
        return depth, aliases

    def _of_fragment(self, name: str) -> tuple[int, int]:
        fragment = self._fragments.get(name)
        if fragment is None:
            return 0, 0  # reported by another rule
        if name not in self._known:
            self._known[name] = (0, 0)  # for cyclic fragments, which another rule reports
            self._known[name] = self.of(fragment.selection_set)
        return self._known[name]
