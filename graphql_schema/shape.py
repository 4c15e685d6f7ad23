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
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)
from graphql.validation import ASTValidationContext

MAX_DEPTH: Final = 15
MAX_ALIASES: Final = 15


class ShapeRule(ASTValidationRule):
    """Reports operations that are too deep, and documents with too many aliases."""

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
