"""Fields that compiled functions read as attributes.

A field is plain if it has no resolver, if its metadata names the attribute that stores the resolver's value,
or if it is the `id` of a Relay node.
"""

from __future__ import annotations

import keyword
import uuid
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

import strawberry
from graphql import GraphQLField, GraphQLObjectType
from strawberry import relay
from strawberry.relay.utils import to_base64
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

READ_FROM: Final = "read_from"
"""Metadata key of a field with a resolver: the attribute that stores the resolver's value, such as
`row.title`. If the attribute is None, the resolver is called."""


_DEFINITION: Final = "strawberry-definition"
"""Extension key under which Strawberry stores its field or type in graphql-core's."""

_NODE_IDS: Final = frozenset({int, str, uuid.UUID})
"""Types of node IDs that can be used in a global ID directly; none is awaitable."""


class GaveUpError(Exception):
    """The value or selection is not supported by compiled functions."""


def kept(attribute: str, description: str) -> Any:
    """Return a field that reads an attribute, such as `row.title`; its type is the annotation."""
    read = attrgetter(attribute)

    def resolve(self):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - the type is the annotation
        return read(self)

    return strawberry.field(resolver=resolve, metadata={READ_FROM: attribute}, description=description)


def plain(field: GraphQLField) -> StrawberryField:
    """Return Strawberry's definition of a field that may be plain.

    Raises:
        GaveUpError: the field has arguments or field extensions.
    """
    definition = field.extensions.get(_DEFINITION)
    if field.args or type(definition) is not StrawberryField or definition.extensions:
        raise GaveUpError
    return definition


def attribute_of(field: GraphQLField, definition: StrawberryField) -> str:
    """Return the attribute name of a field without a resolver.

    Raises:
        GaveUpError: the field is read in another way.
    """
    if (
        definition.default_resolver is not getattr
        or not getattr(field.resolve, "_is_default", False)
        or keyword.iskeyword(definition.python_name)
    ):
        raise GaveUpError
    return definition.python_name


def is_node_id(definition: StrawberryField) -> bool:
    """Return whether a field is the inherited `id` of Relay nodes."""
    resolver = getattr(definition.base_resolver, "wrapped_func", None)
    return getattr(resolver, "__func__", None) is relay.Node._id.__func__  # noqa: SLF001


def node_id_of(type_: GraphQLObjectType) -> tuple[type[relay.Node], str]:
    """Return the class of a Relay node type, and the attribute that contains its ID.

    Raises:
        GaveUpError: the class overrides how IDs are created.
    """
    origin = definition_of(type_).origin
    if not issubclass(origin, relay.Node) or any(
        getattr(origin, name).__func__ is not getattr(relay.Node, name).__func__
        for name in ("resolve_id", "resolve_typename")
    ):
        raise GaveUpError
    return origin, origin.resolve_id_attr()


def node_id_encoder(type_name: str) -> Callable[[Any], str]:
    """Return a function that creates a global ID from a node ID, or gives up."""

    def encode(node_id: Any) -> str:
        if type(node_id) not in _NODE_IDS:
            raise GaveUpError
        return to_base64(type_name, str(node_id))

    return encode


def kept_in(definition: StrawberryField) -> str:
    """Return the attribute that stores the value of a field's resolver.

    Raises:
        GaveUpError: the field does not name one.
    """
    attribute = definition.metadata.get(READ_FROM)
    if not isinstance(attribute, str):
        raise GaveUpError
    return attribute


def definition_of(type_: GraphQLObjectType) -> StrawberryObjectDefinition:
    """Return Strawberry's definition of a type.

    Raises:
        GaveUpError: the type was not defined with Strawberry.
    """
    definition = type_.extensions.get(_DEFINITION)
    if not isinstance(definition, StrawberryObjectDefinition):
        raise GaveUpError
    return definition
