"""An exact cache of answers: an entry is used only if no song was written since it was read.

An operation that reads shared data only (`SHARED`) has the same answer for all clients. A cached answer is
returned if the catalogue still has the version that it had before the answer was read; see
`app.catalogue.service.CatalogueVersion`. Everything else that belongs to a request still happens:
authentication, cost and time limits, the log line and metrics.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

import orjson
from graphql import ExecutionResult
from strawberry.types import ExecutionContext

from graphql_schema.documents import Document
from graphql_schema.execution import provided_operation_name

_FIELDS: Final = {
    "Query": "genres songs song",
    "Genre": "name songCount songs",
    "Song": (
        "id trackId title genre predictedGenre verifiedGenre confidence confident modelVersion classifiedAt "
        "probabilities"
    ),
    "SongConnection": "pageInfo edges nodes totalCount",
    "SongEdge": "cursor node",
    "PageInfo": "hasNextPage hasPreviousPage startCursor endCursor",
    "GenreProbability": "genre probability",
}
_ARGUMENTS: Final = {
    "Query.songs": (
        "genre titleContains confident modelVersion verified minConfidence maxConfidence orderBy first after"
    ),
    "Query.song": "trackId",
    "Genre.songs": "first after",
}

SHARED: Final = frozenset(
    [f"{type_}.{field}" for type_, fields in _FIELDS.items() for field in (*fields.split(), "__typename")]
    + [f"{field}({name}:)" for field, names in _ARGUMENTS.items() for name in names.split()]
)
"""Schema coordinates of what depends only on songs, their counts, and registered models, which never change;
not on the client, nor on batches. A field or argument that is missing here is never cached."""

_ENTRY_BYTES: Final = 500
"""Estimated overhead of an entry, beside its query, variables and answer."""


class _Key(NamedTuple):
    query: str
    operation_name: str | None
    variables: bytes


class _Entry(NamedTuple):
    version: UUID | None
    data: bytes


_SEEN: Final = _Entry(None, b"")
"""The entry of an operation that was executed once."""


class Answers:
    """A least-recently-used cache of answers, bounded in bytes."""

    def __init__(self, max_bytes: int) -> None:
        """Make an empty cache; the limit is of operations and answers together, and 0 disables it."""
        self._max_bytes = max_bytes
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self._bytes = 0

    async def of(
        self, document: Document, context: ExecutionContext, execute: Callable[[], Awaitable[ExecutionResult]]
    ) -> ExecutionResult:
        """Return the answer to a valid operation: the cached one if current, otherwise by `execute`."""
        key = self._key(document, context)
        if key is None:
            return await execute()
        entry = self._entries.get(key)
        if entry is None:
            # Most operations are sent once: they need not wait for the version.
            self._store(key, _SEEN)
            return await execute()
        self._entries.move_to_end(key)
        version: UUID | None = None
        with suppress(Exception):  # if the database has a problem, executing reports it
            version = await context.context.catalogue.version()
        if version is None:
            return await execute()
        if version == entry.version:
            return ExecutionResult(cast("dict[str, Any]", orjson.Fragment(entry.data)), None)
        result = await execute()
        if not result.errors:
            with suppress(TypeError):  # orjson cannot write it
                self._store(key, _Entry(version, orjson.dumps(result.data)))
        return result

    def _key(self, document: Document, context: ExecutionContext) -> _Key | None:
        if not self._max_bytes or not document.coordinates <= SHARED:
            return None
        try:
            variables = orjson.dumps(context.variables, option=orjson.OPT_SORT_KEYS)
        except TypeError:
            return None
        assert context.query is not None
        return _Key(context.query, provided_operation_name(context), variables)

    def _store(self, key: _Key, entry: _Entry) -> None:
        self._remove(key)
        size = _size(key, entry)
        if size <= self._max_bytes:
            self._entries[key] = entry
            self._bytes += size
        while self._bytes > self._max_bytes:
            self._remove(next(iter(self._entries)))

    def _remove(self, key: _Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= _size(key, entry)


def _size(key: _Key, entry: _Entry) -> int:
    return _ENTRY_BYTES + sys.getsizeof(key.query) + len(key.variables) + len(entry.data)
