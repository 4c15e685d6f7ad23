"""Declare fields that read an attribute, and enums of other packages, as parts of the schema."""

from __future__ import annotations

from enum import Enum
from operator import attrgetter
from typing import Any, Final

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

READ_FROM: Final = "read_from"
"""Metadata key of a field with a resolver: the attribute that stores the resolver's value, such as
`row.title`. Compiled functions read it instead; see `graphql_schema.compiled_values`."""

READ_UNLESS_NONE: Final = "read_unless_none"
"""The same for a resolver that is only called if the attribute is None."""


def reads(attribute: str, description: str) -> Any:
    """Return a field that reads an attribute, such as `row.title`; its type is the annotation."""
    read = attrgetter(attribute)

    def resolve(self):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - the type is the annotation
        return read(self)

    return strawberry.field(resolver=resolve, metadata={READ_FROM: attribute}, description=description)


def describe_enum(enum: type[Enum], description: str, **values: str) -> None:
    """Make an enum a type of the schema; every member needs a description."""
    strawberry.enum(enum, description=description)
    definition: StrawberryEnumDefinition = enum.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values[value.name]
