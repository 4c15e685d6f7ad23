"""Compile functions that complete plain objects, and lists of them, for a selection.

`nodes { title genre { name } }` becomes

    for v0 in items:
        ...
        v1 = v0.title
        ...
        append({"title": v1, "genre": {"name": v3}})

Supported are fields that have no resolver, fields that were declared with the attribute that stores the
resolver's value (`graphql_schema.declarations`), and `id`s of Relay nodes.

A compiled function reports no errors. In all special cases (a null for a non-null type, an exception, an
awaitable, a value that the scalar rejects) it gives up, and the standard executor completes the value from
the start and reports the errors. Attributes may therefore be read twice.

Only this module, `execution` and `schema` use private names of graphql-core and Strawberry; pyproject.toml
caps their versions.
"""

from __future__ import annotations

import keyword
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from math import isfinite
from typing import Any, Final, TypeAlias

from graphql import (
    GraphQLBoolean,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
    Undefined,
    is_leaf_type,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import FieldDetailsList
from strawberry import relay
from strawberry.execution import optimized_is_awaitable
from strawberry.relay.utils import to_base64
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.cast import TYPE_CAST_ATTRIBUTE as _CAST
from strawberry.types.field import StrawberryField

from graphql_schema.declarations import READ_FROM, READ_UNLESS_NONE

CACHED_FUNCTIONS: Final = 1_024
"""Size of the LRU cache of compiled functions."""

_IS_NOT_PLAIN: Final[dict[GraphQLLeafType, str]] = {
    GraphQLString: "type({0}) is not str",
    GraphQLID: "type({0}) is not str",
    GraphQLBoolean: "type({0}) is not bool",
    GraphQLFloat: "type({0}) is not float or not isfinite({0})",
    GraphQLInt: "type({0}) is not int or not -2147483648 <= {0} <= 2147483647",
}
"""By scalar: the condition under which a value needs serialization."""

_DEFINITION: Final = "strawberry-definition"
"""Extension key under which Strawberry stores its field or type in graphql-core's."""

_NODE_IDS: Final = frozenset({int, str, uuid.UUID})
"""Types of node IDs that can be used in a global ID directly; none is awaitable."""

Plan: TypeAlias = Callable[[Any], Any]
"""Completes a value, or raises any exception to give up."""


class GaveUpError(Exception):
    """The value or selection is not supported by compiled functions."""


class Compiler:
    """Generates the source of one function."""

    def __init__(self, executor: Executor[Any]) -> None:
        self._executor = executor
        self._lines: list[str] = []
        self._indentation = "        "
        self._constants: list[object] = []
        self._variables = 0

    def compiled(self, type_: GraphQLOutputType, details: FieldDetailsList) -> Plan:
        """Return the function that completes a value of a type.

        Raises:
            GaveUpError: the selection contains unsupported fields.
        """
        value = self._variable()
        completed = self._complete(type_, details, value)
        names = ", ".join(f"c{number}" for number in range(len(self._constants)))
        source = [f"def make({names}):", f"    def plan({value}):", *self._lines]
        source += [f"        return {completed}", "    return plan"]
        return _function("\n".join(source))(*self._constants)

    def _complete(self, type_: GraphQLOutputType, details: FieldDetailsList, value: str) -> str:
        """Generate the completion of the variable `value`, and return the name of the result."""
        nullable = not isinstance(type_, GraphQLNonNull)
        present = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        if is_leaf_type(present):
            coerce = self._constant(_coercion(present, nullable=nullable))
            condition = _IS_NOT_PLAIN.get(present, "True").format(value)
            if present is GraphQLID:
                self._write(f"if type({value}) is int: {value} = str({value})")
            self._write(f"if {condition}: {value} = {coerce}({value})")
            return value
        result = self._variable()
        if nullable:
            self._write(f"if {value} is None: {result} = None")
            self._write("else:")
        with self._indented() if nullable else nullcontext():
            if isinstance(present, GraphQLList):
                self._complete_list(present, details, value, result)
            elif isinstance(present, GraphQLObjectType):
                self._complete_object(present, details, value, result)
            else:
                raise GaveUpError
        return result

    def _complete_list(
        self, type_: GraphQLList[Any], details: FieldDetailsList, value: str, result: str
    ) -> None:
        if any(
            directive.name.value == "stream" for field in details for directive in field.node.directives or ()
        ):
            raise GaveUpError
        item = self._variable()
        self._write(f"if type({value}) is not list: raise GaveUpError")
        self._write(f"{result} = []")
        self._write(f"for {item} in {value}:")
        with self._indented():
            completed = self._complete(type_.of_type, details, item)
            self._write(f"{result}.append({completed})")

    def _complete_object(
        self, type_: GraphQLObjectType, details: FieldDetailsList, value: str, result: str
    ) -> None:
        admitted = self._constant(set())
        self._write(f"if type({value}) not in {admitted}: admit({value}, {admitted})")
        if type_.is_type_of is not None:
            definition, is_type_of = _definition(type_), self._constant(type_.is_type_of)
            if definition.is_type_of is not None:
                raise GaveUpError  # a type resolver may need the field
            # An instance of the type's own class has that type, unless it was cast to another.
            own = "False"
            if definition.origin.__dictoffset__:
                origin = self._constant(definition.origin)
                own = f"type({value}) is {origin} and {_CAST!r} not in {value}.__dict__"
            self._write(f"if not ({own} or {is_type_of}({value}, None)): raise GaveUpError")
        collected = self._executor.collect_subfields(type_, details)
        if collected.new_defer_usages:
            raise GaveUpError
        entries = []
        for response_name, fields in collected.grouped_field_set.items():
            if any(field.defer_usage or field.fragment_variable_values for field in fields):
                raise GaveUpError
            name = fields[0].node.name.value
            if name == "__typename":
                entries.append(f"{response_name!r}: {type_.name!r}")
                continue
            field = self._executor.schema.get_field(type_, name)
            if field is None:
                continue
            read = self._read(type_, field, value)
            entries.append(f"{response_name!r}: {self._complete(field.type, fields, read)}")
        self._write(f"{result} = {{{', '.join(entries)}}}")

    def _read(self, type_: GraphQLObjectType, field: GraphQLField, value: str) -> str:
        """Generate the read of a field of `value`, and return the name of the result."""
        definition = field.extensions.get(_DEFINITION)
        if field.args or type(definition) is not StrawberryField or definition.extensions:
            raise GaveUpError
        result = self._variable()
        resolver = getattr(definition.base_resolver, "wrapped_func", None)
        if definition.is_basic_field:
            default = definition.default_resolver is getattr and getattr(field.resolve, "_is_default", False)
            if not default or keyword.iskeyword(definition.python_name):
                raise GaveUpError
            self._write(f"{result} = {value}.{definition.python_name}")
        elif getattr(resolver, "__func__", None) is relay.Node._id.__func__:  # noqa: SLF001
            self._read_node_id(type_, value, result)
        elif READ_FROM in definition.metadata:
            self._write(f"{result} = {value}.{definition.metadata[READ_FROM]}")
        elif READ_UNLESS_NONE in definition.metadata:
            self._write(f"{result} = {value}.{definition.metadata[READ_UNLESS_NONE]}")
            self._write(f"if {result} is None: raise GaveUpError")
        else:
            raise GaveUpError
        return result

    def _read_node_id(self, type_: GraphQLObjectType, value: str, result: str) -> None:
        origin = _definition(type_).origin
        if not issubclass(origin, relay.Node) or any(
            getattr(origin, name).__func__ is not getattr(relay.Node, name).__func__
            for name in ("resolve_id", "resolve_typename")
        ):
            raise GaveUpError
        encode = self._constant(_node_id_encoder(type_.name))
        self._write(f"if type({value}) is not {self._constant(origin)}: raise GaveUpError")
        self._write(f"{result} = {encode}({value}.{origin.resolve_id_attr()})")

    def _write(self, line: str) -> None:
        self._lines.append(self._indentation + line)

    @contextmanager
    def _indented(self) -> Iterator[None]:
        outer = self._indentation
        self._indentation += " "
        yield
        self._indentation = outer

    def _variable(self) -> str:
        self._variables += 1
        return f"v{self._variables}"

    def _constant(self, value: object) -> str:
        self._constants.append(value)
        return f"c{len(self._constants) - 1}"


def _definition(type_: GraphQLObjectType) -> StrawberryObjectDefinition:
    definition = type_.extensions.get(_DEFINITION)
    if not isinstance(definition, StrawberryObjectDefinition):
        raise GaveUpError
    return definition


def _node_id_encoder(type_name: str) -> Callable[[Any], str]:
    def encode(node_id: Any) -> str:
        if type(node_id) not in _NODE_IDS:
            raise GaveUpError
        return to_base64(type_name, str(node_id))

    return encode


def _coercion(type_: GraphQLLeafType, *, nullable: bool) -> Callable[[Any], Any]:
    """Return a function that serializes a leaf value like the standard executor, or gives up."""

    def coerce(value: Any) -> Any:
        if value is None and nullable:
            return None
        _check_present(value)
        coerced = type_.coerce_output_value(value)
        if coerced is None or coerced is Undefined:
            raise GaveUpError
        return coerced

    return coerce


def _admit(value: Any, admitted: set[type]) -> None:
    """Check an object of a class that was not admitted yet, and admit the class."""
    _check_present(value)
    if not hasattr(type(value), "__getattr__"):  # an instance attribute could make one object awaitable
        admitted.add(type(value))


def _check_present(value: Any) -> None:
    """Give up if the standard executor would await or refuse the value."""
    if value is None or value is Undefined or isinstance(value, Exception) or optimized_is_awaitable(value):
        raise GaveUpError


@lru_cache(CACHED_FUNCTIONS)
def _function(source: str) -> Callable[..., Plan]:
    namespace: dict[str, Any] = {"isfinite": isfinite, "admit": _admit, "GaveUpError": GaveUpError}
    # The only client input in the source are aliases: ASCII names by GraphQL's grammar, inserted with repr.
    exec(source, namespace)  # noqa: S102  # nosec B102
    make: Callable[..., Plan] = namespace["make"]
    return make
