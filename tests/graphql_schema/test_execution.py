"""Compiled functions return the same as the standard executor, for any query and objects."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any

import pytest
import strawberry
from graphql import parse, validate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strawberry import Schema, relay
from strawberry.extensions import ParserCache, ValidationCache

from graphql_schema.declarations import READ_FROM, READ_UNLESS_NONE, reads
from graphql_schema.execution import CompiledExecutor


@strawberry.enum
class Mood(Enum):
    GLAD = "glad"
    SAD = "sad"


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Label:
    text: str
    size: int | None


@strawberry.type
class Person(Named):
    age: int | None
    label: Label | None

    @strawberry.field
    def greeting(self) -> str:
        return f"I am {self.name}"


@strawberry.type
class Group(Named):
    members: list[Person]
    tags: list[str | None] | None


@strawberry.type
class Item(relay.Node):
    code: relay.NodeID[int]
    name: str


@strawberry.type
class OwnItem(relay.Node):
    """A node with its own way of creating ids."""

    code: relay.NodeID[int]

    @classmethod
    def resolve_id(cls, root: Any, *, info: strawberry.Info) -> str:
        del info
        return f"own {root.code}"


@strawberry.type
class Thing:
    id: strawberry.ID
    title: str
    note: str | None
    count: int
    share: float | None
    rate: float
    good: bool
    mood: Mood
    moods: list[Mood | None]
    made_at: datetime | None
    label: Label
    labels: list[Label | None]
    matrix: list[list[int | None]]
    named: Named | None
    either: Annotated[Person | Group, strawberry.union("Either")] | None
    person: Person | None
    kept_note: strawberry.Private[str | None]
    kept_labels: strawberry.Private[list[Label] | None]
    plain_note: str | None = reads("kept_note", "The note as it is kept.")
    known_note: str = strawberry.field(
        resolver=lambda self: "made" if self.kept_note is None else self.kept_note,
        metadata={READ_UNLESS_NONE: "kept_note"},
    )
    known_labels: list[Label] = strawberry.field(
        resolver=lambda self: [] if self.kept_labels is None else self.kept_labels,
        metadata={READ_UNLESS_NONE: "kept_labels"},
    )

    @strawberry.field(metadata={READ_FROM: "label.text"})  # type: ignore[untyped-decorator]
    async def label_text(self) -> str:
        await asyncio.sleep(0)
        return self.label.text

    @strawberry.field
    def loud_title(self) -> str:
        if self.title == "odd":
            raise ValueError("odd titles are not loud")
        return self.title.upper()

    @strawberry.field
    async def slow_title(self, times: int = 1) -> str:
        await asyncio.sleep(0)
        if self.title == "odd":
            raise ValueError("odd titles are not slow")
        return self.title * times


@dataclass
class Likeness:
    """An object that is not of a schema type but has its attributes."""

    values: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None


@strawberry.type
class Query:
    things: list[Thing]
    maybe_things: list[Thing | None] | None
    thing: Thing | None
    items: list[Item]
    own_items: list[OwnItem]
    item: Item | None
    named: list[Named]
    either: list[Annotated[Person | Group, strawberry.union("Either")]]

    @strawberry.field
    def resolved_things(self) -> list[Thing]:
        return self.things

    @strawberry.field
    async def later_things(self) -> list[Thing]:
        await asyncio.sleep(0)
        return self.things


CACHES = (ParserCache, ValidationCache)  # documents are executed hundreds of times
STANDARD = Schema(Query, extensions=CACHES)
COMPILED = Schema(Query, extensions=CACHES, execution_context_class=CompiledExecutor)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("strawberry.execution"), "disabled", True)


async def later(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


@dataclass(frozen=True)
class Later:
    """Placeholder for an awaitable, since each execution needs its own."""

    value: Any


# Rare, so that most objects are plain, but few lists have only plain ones.
ODD_VALUES: list[Any] = [
    None,
    ValueError("an error for a value"),
    Later("late"),
    Later(None),
    "text",
    "12",
    3,
    2**31,
    -(2**31) - 1,
    2.0,
    2.5,
    float("nan"),
    float("inf"),
    True,
    [],
    [None],
    ["a"],
    [Later("late")],
    (1, 2),
    {},
    Mood.GLAD,
    "GLAD",
    datetime(2026, 1, 1, tzinfo=UTC),
    object,
]
ODD = st.sampled_from(ODD_VALUES)


def mostly(plain: st.SearchStrategy[Any], one_in: int = 40) -> st.SearchStrategy[Any]:
    return st.integers(0, one_in - 1).flatmap(lambda n: ODD if n == 0 else plain)


names = st.sampled_from(["", "a", "odd", "É", '"'])
labels = st.builds(
    lambda text, size: Label(text=text, size=size), mostly(names), mostly(st.none() | st.integers(-3, 3))
)
people = st.builds(
    lambda name, age, label: Person(name=name, age=age, label=label),
    mostly(names),
    mostly(st.integers(0, 9)),
    mostly(st.none() | labels),
)
groups = st.builds(
    lambda name, members, tags: Group(name=name, members=members, tags=tags),
    mostly(names),
    mostly(st.lists(mostly(people), max_size=2)),
    mostly(st.none() | st.lists(mostly(names), max_size=2)),
)
items = st.builds(
    lambda code, name: Item(code=code, name=name),
    # A list as a code becomes part of an id as text, with the address of what it holds.
    mostly(st.integers(0, 9) | st.just("x") | st.uuids(version=4)).filter(
        lambda code: not isinstance(code, list)
    ),
    mostly(names),
)
own_items = st.builds(lambda code: OwnItem(code=code), st.integers(0, 9))
either = people | groups
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "id": st.integers(0, 9) | st.just("x"),
    "title": names,
    "note": st.none() | names,
    "count": st.integers(-3, 3),
    "share": st.none() | st.floats(0, 1),
    "rate": st.floats(0, 1) | st.integers(0, 3),
    "good": st.booleans(),
    "mood": st.sampled_from(Mood),
    "moods": st.lists(mostly(st.sampled_from(Mood)), max_size=2),
    "made_at": st.none() | st.just(datetime(2026, 11, 25, tzinfo=UTC)),
    "label": labels,
    "labels": st.lists(st.none() | labels, max_size=2),
    "matrix": st.lists(mostly(st.lists(st.none() | st.integers(0, 3), max_size=2)), max_size=2),
    "named": st.none() | either,
    "either": st.none() | either,
    "person": st.none() | people,
    "kept_note": st.none() | names,
    "kept_labels": st.none() | st.lists(labels, max_size=2),
}
values = st.fixed_dictionaries({name: mostly(strategy, 100) for name, strategy in FIELDS.items()})
things = values.map(lambda kwargs: Thing(**kwargs)) | values.map(Likeness)
roots = st.fixed_dictionaries(
    {
        "things": mostly(st.lists(mostly(things), max_size=3)),
        "maybe_things": mostly(st.lists(st.none() | things, max_size=3)),
        "thing": mostly(things),
        "items": mostly(st.lists(mostly(items), max_size=3)),
        "own_items": st.lists(own_items, max_size=2),
        "item": mostly(items),
        "named": mostly(st.lists(mostly(either), max_size=2)),
        "either": mostly(st.lists(mostly(either), max_size=2)),
    }
)

SELECTIONS: dict[str, dict[str, str | None]] = {
    "Query": {
        "things": "Thing",
        "maybeThings": "Thing",
        "thing": "Thing",
        "resolvedThings": "Thing",
        "laterThings": "Thing",
        "items": "Item",
        "ownItems": "OwnItem",
        "item": "Item",
        "named": "Named",
        "either": "Either",
    },
    "Item": {"id": None, "name": None},
    "OwnItem": {"id": None},
    "Thing": {
        **dict.fromkeys(
            ["id", "title", "note", "count", "share", "rate", "good", "mood", "moods", "madeAt", "matrix"]
        ),
        "loudTitle": None,
        "slowTitle": None,
        "label": "Label",
        "labels": "Label",
        "named": "Named",
        "either": "Either",
        "person": "Person",
        "plainNote": None,
        "knownNote": None,
        "knownLabels": "Label",
        "labelText": None,
    },
    "Label": {"text": None, "size": None},
    "Person": {"name": None, "age": None, "label": "Label", "greeting": None},
    "Group": {"name": None, "members": "Person", "tags": None},
    "Named": {"name": None},
    "Either": {},
}
NARROWER = {"Named": ["Person", "Group", "Named"], "Either": ["Person", "Group", "Named"]}
CONDITIONS = ("", "", "", "", " @include(if: $yes)", " @skip(if: $no)", " @include(if: false)")
RESOLVED = {"loudTitle", "slowTitle", "greeting"}


@st.composite
def selection_sets(draw: st.DrawFn, type_: str, depth: int = 0) -> str:
    """A selection of a type; aliases contain the field's name, so that none conflict."""
    fields = [
        (name, below)
        for name, below in SELECTIONS[type_].items()
        if (depth < 3 or below is None) and (name not in RESOLVED or draw(st.integers(0, 5)) == 0)
    ]
    parts = []
    for name, below in draw(st.lists(st.sampled_from(fields), max_size=6)) if fields else ():
        alias = draw(st.sampled_from(["", "", "", f"x_{type_}_{name}: "]))
        condition = draw(st.sampled_from(CONDITIONS))
        deeper = "" if below is None else draw(selection_sets(below, depth + 1))
        parts.append(f"{alias}{name}{condition}{deeper}")
    if draw(st.integers(0, 4)) == 0:
        parts.append("__typename")
    for narrower in NARROWER.get(type_, [type_]):
        kind = draw(st.integers(0, 7))
        if kind < 2 and (depth < 3 or narrower == "Label"):
            condition = draw(st.sampled_from(CONDITIONS))
            inner = draw(selection_sets(narrower, depth + 1))
            parts.append(f"...{f' on {narrower}' if kind else ''}{condition}{inner}" if kind else "")
        elif kind == 2 and narrower in FRAGMENTS:
            parts.append(f"...{narrower}Parts{draw(st.sampled_from(CONDITIONS))}")
    return "{ " + (" ".join(filter(None, parts)) or "__typename") + " }"


FRAGMENTS = {
    "Thing": "fragment ThingParts on Thing { title x_Thing_note: note label { ...LabelParts } }",
    "Label": "fragment LabelParts on Label { size __typename }",
    "Person": "fragment PersonParts on Person { age label { ...LabelParts } }",
    "Group": "fragment GroupParts on Group { members { ...PersonParts } }",
}


@st.composite
def documents(draw: st.DrawFn) -> str:
    selection = draw(selection_sets("Query"))
    declared = [f"${name}: Boolean = true" for name in ("yes", "no") if f"${name})" in selection]
    query = f"query {'(' if declared else ''}{', '.join(declared)}{')' if declared else ''} {selection}"
    needed: list[str] = []
    text = query
    for name in ("Thing", "Group", "Person", "Label"):
        if f"...{name}Parts" in text:
            needed.append(FRAGMENTS[name])
            text += FRAGMENTS[name]
    return "\n".join([query, *needed])


def fresh(value: Any) -> Any:
    """Return a copy of the data with new awaitables."""
    if isinstance(value, Later):
        return later(value.value)
    if isinstance(value, list):
        return [fresh(item) for item in value]
    if isinstance(value, Likeness):
        return Likeness({name: fresh(inner) for name, inner in value.values.items()})
    if isinstance(value, Label | Person | Group | Item | OwnItem | Thing | Query):
        made = object.__new__(type(value))
        made.__dict__ = {name: fresh(inner) for name, inner in value.__dict__.items()}
        return made
    return value


async def answer(schema: Schema, document: str, root: Query, variables: dict[str, bool]) -> str:
    root = fresh(root)
    result = await schema.execute(document, variable_values=variables, root_value=root)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)  # left over after an error
    await close(root)
    text = json.dumps(
        {"data": result.data, "errors": [str(error.formatted) for error in result.errors or ()]}
    )
    return re.sub("0x[0-9a-f]+", "address", text)


async def close(value: Any) -> None:
    """Await what the query did not select."""
    if isinstance(value, Awaitable):
        try:
            await value
        except RuntimeError:  # it was awaited
            return
    elif isinstance(value, list):
        for item in value:
            await close(item)
    elif isinstance(value, Likeness | Label | Person | Group | Item | OwnItem | Thing | Query):
        for inner in (value.values if isinstance(value, Likeness) else value.__dict__).values():
            await close(inner)


@settings(
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ]
)
@given(documents(), roots, st.fixed_dictionaries({}, optional={"yes": st.booleans(), "no": st.booleans()}))
def test_every_answer_equals_that_of_the_standard_executor(
    document: str, root: dict[str, Any], variables: dict[str, bool]
) -> None:
    assert not validate(STANDARD._schema, parse(document))  # noqa: SLF001 - what is tested is below Strawberry
    query = Query(**root)
    expected = asyncio.run(answer(STANDARD, document, query, variables))
    assert asyncio.run(answer(COMPILED, document, query, variables)) == expected


def plain_thing(**changed: Any) -> Thing:
    label = Label(text="a", size=1)
    plain = Thing(
        id=strawberry.ID("1"),
        title="a",
        note=None,
        count=1,
        share=0.5,
        rate=0.5,
        good=True,
        mood=Mood.GLAD,
        moods=[Mood.SAD],
        made_at=None,
        label=label,
        labels=[label, None],
        matrix=[[1], [None, 2]],
        named=None,
        either=None,
        person=Person(name="b", age=1, label=label),
        kept_note="kept",
        kept_labels=[label],
    )
    plain.__dict__.update(changed)
    return plain


def root_of(things: list[Thing], thing: Thing | None = None) -> Query:
    items = [Item(code=1, name="a"), Item(code=2, name="b")]
    return Query(
        things=things,
        maybe_things=None,
        thing=thing,
        items=items,
        own_items=[OwnItem(code=3)],
        item=items[0],
        named=[],
        either=[],
    )


PLAIN = """{ resolvedThings {
    ...Parts moods knownNote knownLabels { text } labelText label { size } labels { text } matrix
    person { name ... on Person { label { text } } }
} } fragment Parts on Thing { __typename id title note count share rate good mood x: madeAt }"""


FIELD_QUERIES = {
    **{
        name: name
        for name in ["id", "title", "note", "count", "share", "rate", "good", "mood", "moods", "matrix"]
    },
    "made_at": "madeAt",
    "label": "label { size }",
    "labels": "labels { text }",
    "person": "person { name }",
    "named": "named { name }",
    "either": "either { ... on Person { name } }",
    "kept_note": "knownNote labelText",
    "kept_labels": "knownLabels { size }",
}


@pytest.mark.parametrize("name", FIELD_QUERIES)
def test_unusual_values_are_completed_as_by_the_standard_executor(name: str) -> None:
    async def compare(inside: Any) -> None:
        thing = plain_thing(**{name: inside})
        root = root_of([thing, thing], thing)
        expected = await answer(STANDARD, document, root, {})
        assert await answer(COMPILED, document, root, {}) == expected, inside

    async def compare_all() -> None:
        for odd in ODD_VALUES:
            for inside in (
                odd,
                [odd],
                [[odd]],
                Label(text=odd, size=odd),
                Person(name=odd, age=1, label=odd),
            ):
                await compare(inside)

    document = f"{{ resolvedThings {{ {FIELD_QUERIES[name]} }} thing {{ {FIELD_QUERIES[name]} }} }}"
    asyncio.run(compare_all())


def test_a_document_is_compiled_for_the_values_of_its_conditions() -> None:
    document = (
        "query ($x: Boolean!, $y: Boolean!) { resolvedThings { title @include(if: $x) note @skip(if: $y) } }"
    )
    root = root_of([plain_thing()])
    for x in (True, False):
        for y in (True, False):
            variables = {"x": x, "y": y}
            expected = asyncio.run(answer(STANDARD, document, root, variables))
            assert asyncio.run(answer(COMPILED, document, root, variables)) == expected, variables


def fields_executed(monkeypatch: pytest.MonkeyPatch, things: list[Thing], query: str = PLAIN) -> int:
    executed = 0
    execute_field = CompiledExecutor.execute_field

    def counted(*args: Any) -> Any:
        nonlocal executed
        executed += 1
        return execute_field(*args)

    monkeypatch.setattr(CompiledExecutor, "execute_field", counted)
    root = root_of(things)
    COMPILED.execute_sync(query, root_value=root)
    return executed


def test_fields_of_plain_objects_are_not_executed_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fields_executed(monkeypatch, [plain_thing() for _ in range(100)]) == 1


def test_ids_of_nodes_and_lists_of_one_object_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    query = "{ items { id name } item { id } resolvedThings { labels { size } knownLabels { text } } }"
    assert fields_executed(monkeypatch, [plain_thing()], query) == 3


def test_an_object_cast_to_another_type_is_refused() -> None:
    root = root_of([])
    root.items = [Item(code=1, name="a"), strawberry.cast(OwnItem, Item(code=2, name="b"))]
    expected = asyncio.run(answer(STANDARD, "{ items { id name } }", root, {}))
    assert asyncio.run(answer(COMPILED, "{ items { id name } }", root, {})) == expected
    assert "Expected value of type 'Item'" in expected


def test_a_missing_value_is_resolved_by_its_resolver() -> None:
    root = root_of([plain_thing(kept_note=None)])
    assert COMPILED.execute_sync("{ resolvedThings { knownNote } }", root_value=root).data == {
        "resolvedThings": [{"knownNote": "made"}]
    }


def test_one_odd_object_leaves_the_others_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    things = [plain_thing(), plain_thing(count=2**31), plain_thing()]
    assert 1 < fields_executed(monkeypatch, things) < 25
