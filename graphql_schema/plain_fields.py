"""Fields that compiled functions read as attributes.

A field is plain if it has no resolver, if its metadata names the attribute that stores the resolver's value,
or if it is the `id` of a Relay node.
"""

from __future__ import annotations

import keyword
import uuid
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, NamedTuple

import strawberry
from graphql import GraphQLField, GraphQLObjectType
from strawberry import relay
from strawberry.relay.utils import to_base64
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

READ_FROM: Final = "read_from"
"""Metadata key of a field with a resolver: the attribute that stores the resolver's value, such as
`row.title`."""

READ_UNLESS_NONE: Final = "read_unless_none"
"""The same for a resolver that is only called if the attribute is None."""

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


class Read(NamedTuple):
    """How a compiled function reads a field of an object.

    Attributes:
        attribute: the attribute, such as `row.title`.
        of_class: the only class of objects for which it does so; None for any.
        encode: a function to apply to the value.
        resolves_none: whether a resolver has to replace None.
    """

    attribute: str
    of_class: type | None = None
    encode: Callable[[Any], Any] | None = None
    resolves_none: bool = False


def read_of(type_: GraphQLObjectType, field: GraphQLField) -> Read:
    """Return how a field of a type is read.

    Raises:
        GaveUpError: the field is not plain.
    """
    definition = field.extensions.get(_DEFINITION)
    if field.args or type(definition) is not StrawberryField or definition.extensions:
        raise GaveUpError
    if definition.is_basic_field:
        is_attribute = definition.default_resolver is getattr and getattr(field.resolve, "_is_default", False)
        if not is_attribute or keyword.iskeyword(definition.python_name):
            raise GaveUpError
        return Read(definition.python_name)
    resolver = getattr(definition.base_resolver, "wrapped_func", None)
    if getattr(resolver, "__func__", None) is relay.Node._id.__func__:  # noqa: SLF001
        origin = definition_of(type_).origin
        if not issubclass(origin, relay.Node) or any(
            getattr(origin, name).__func__ is not getattr(relay.Node, name).__func__
            for name in ("resolve_id", "resolve_typename")
        ):
            raise GaveUpError
        return Read(origin.resolve_id_attr(), origin, _node_id_encoder(type_.name))
    if READ_FROM in definition.metadata:
        return Read(definition.metadata[READ_FROM])
    if READ_UNLESS_NONE in definition.metadata:
        return Read(definition.metadata[READ_UNLESS_NONE], resolves_none=True)
    raise GaveUpError


def _node_id_encoder(type_name: str) -> Callable[[Any], str]:
    def encode(node_id: Any) -> str:
        if type(node_id) not in _NODE_IDS:
            raise GaveUpError
        return to_base64(type_name, str(node_id))

    return encode


def definition_of(type_: GraphQLObjectType) -> StrawberryObjectDefinition:
    """Return Strawberry's definition of a type.

    Raises:
        GaveUpError: the type was not defined with Strawberry.
    """
    definition = type_.extensions.get(_DEFINITION)
    if not isinstance(definition, StrawberryObjectDefinition):
        raise GaveUpError
    return definition
