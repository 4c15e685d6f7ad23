"""Compile functions that complete plain objects, and lists of them, for a selection.

`nodes { title genre { name } }` becomes

    for v0 in items:
        ...
        v1 = v0.title
        ...
        append({"title": v1, "genre": {"name": v3}})

`graphql_schema.plain_fields` defines which fields are supported.

A compiled function reports no errors. In all special cases (a null for a non-null type, an exception, an
awaitable, a value that the scalar rejects) it gives up, and the standard executor completes the value from
the start and reports the errors. Attributes may therefore be read twice.

Only this module and its neighbours `plain_fields` and `execution` use private names of graphql-core and
Strawberry; pyproject.toml caps their versions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from strawberry.types.cast import TYPE_CAST_ATTRIBUTE as _CAST

from graphql_schema.plain_fields import GaveUpError, definition_of, read_of

KEPT_FUNCTIONS: Final = 1_024
"""Size of the LRU cache of compiled functions."""

_IS_NOT_PLAIN: Final[dict[GraphQLLeafType, str]] = {
    GraphQLString: "type({0}) is not str",
    GraphQLID: "type({0}) is not str",
    GraphQLBoolean: "type({0}) is not bool",
    GraphQLFloat: "type({0}) is not float or not isfinite({0})",
    GraphQLInt: "type({0}) is not int or not -2147483648 <= {0} <= 2147483647",
}
"""By scalar: the condition under which a value needs serialization."""

Plan: TypeAlias = Callable[[Any], Any]
"""Completes a value, or raises any exception to give up."""


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
        names = [f"c{number}" for number in range(len(self._constants))]
        source = "\n".join(
            [
                f"def make({', '.join(names)}):",
                f"    def plan({value}):",
                *self._lines,
                f"        return {completed}",
                "    return plan",
            ]
        )
        plan: Plan = _function(source)(*self._constants)
        return plan

    def _complete(self, type_: GraphQLOutputType, details: FieldDetailsList, value: str) -> str:
        """Generate the completion of the variable `value`, and return the name of the result."""
        nullable = not isinstance(type_, GraphQLNonNull)
        present = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        if is_leaf_type(present):
            coerce = self._constant(_coercion(present, self._executor.is_awaitable, nullable=nullable))
            condition = _IS_NOT_PLAIN.get(present, "True").format(value)
            if present is GraphQLID:
                self._write(f"if type({value}) is int: {value} = str({value})")
            self._write(f"if {condition}: {value} = {coerce}({value})")
            return value
        result = self._variable()
        if nullable:
            self._write(f"if {value} is None: {result} = None")
            self._write("else:")
            with self._indented():
                self._complete_composite(present, details, value, result)
        else:
            self._complete_composite(present, details, value, result)
        return result

    def _complete_composite(
        self, type_: GraphQLOutputType, details: FieldDetailsList, value: str, result: str
    ) -> None:
        if isinstance(type_, GraphQLList):
            self._complete_list(type_, details, value, result)
        elif isinstance(type_, GraphQLObjectType):
            self._complete_object(type_, details, value, result)
        else:
            raise GaveUpError

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
        admitted: set[type] = set()
        admit = self._constant(_admission(admitted, self._executor.is_awaitable))
        self._write(f"if type({value}) not in {self._constant(admitted)}: {admit}({value})")
        if type_.is_type_of is not None:
            if definition_of(type_).is_type_of is not None:
                raise GaveUpError  # a type resolver may need the field
            is_type_of = self._constant(type_.is_type_of)
            origin = definition_of(type_).origin
            # An instance of the type's own class has that type, unless it was cast to another.
            own = "False"
            if origin.__dictoffset__:
                own = f"type({value}) is {self._constant(origin)} and {_CAST!r} not in {value}.__dict__"
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
        read, result = read_of(type_, field), self._variable()
        if read.of_class is not None:
            self._write(f"if type({value}) is not {self._constant(read.of_class)}: raise GaveUpError")
        self._write(f"{result} = {value}.{read.attribute}")
        if read.encode is not None:
            self._write(f"{result} = {self._constant(read.encode)}({result})")
        if read.resolves_none:
            self._write(f"if {result} is None: raise GaveUpError")
        return result

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


def _coercion(
    type_: GraphQLLeafType, is_awaitable: Callable[[Any], bool], *, nullable: bool
) -> Callable[[Any], Any]:
    """Return a function that serializes a leaf value like the standard executor, or gives up."""

    def coerce(value: Any) -> Any:
        if value is None and nullable:
            return None
        if value is None or value is Undefined or isinstance(value, Exception) or is_awaitable(value):
            raise GaveUpError
        coerced = type_.coerce_output_value(value)
        if coerced is None or coerced is Undefined:
            raise GaveUpError
        return coerced

    return coerce


def _admission(admitted: set[type], is_awaitable: Callable[[Any], bool]) -> Callable[[Any], None]:
    """Return a function that checks the class of an object, or gives up."""

    def admit(value: Any) -> None:
        class_ = type(value)
        if value is None or value is Undefined or isinstance(value, Exception) or is_awaitable(value):
            raise GaveUpError
        if not hasattr(class_, "__getattr__"):  # an instance attribute could make one object awaitable
            admitted.add(class_)

    return admit


@lru_cache(KEPT_FUNCTIONS)
def _function(source: str) -> Callable[..., Plan]:
    namespace: dict[str, Any] = {"isfinite": isfinite, "GaveUpError": GaveUpError}
    # The only client input in the source are aliases: ASCII names by GraphQL's grammar, inserted with repr.
    exec(source, namespace)  # noqa: S102  # nosec B102
    make: Callable[..., Plan] = namespace["make"]
    return make
