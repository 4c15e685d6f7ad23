"""The context of resolvers: services, the caller, data loaders, and notes about the operation."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterable
from collections.abc import Set as AbstractSet
from contextvars import ContextVar
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, TypeVar

import strawberry
from starlette.requests import HTTPConnection
from strawberry.dataloader import DataLoader

from app.batches.following import Following
from app.batches.receive import ClassificationService
from app.batches.service import Batches
from app.batches.stored_songs import SongExplanation, StoredExplanations
from app.catalogue.errors import ForbiddenError
from app.catalogue.repository import StoredSong
from app.catalogue.service import Catalogue
from app.catalogue.verification import AccuracyOnVerified, Verification
from app.clients.roles import Caller
from app.database.tables import BatchRow
from app.observability.metrics import Operation
from graphql_schema.documents import Document
from ml.model.manifest import Manifest

Key = TypeVar("Key")
Value = TypeVar("Value")


class Loaders:
    """Data loaders: one query per relation for a list of songs. They cache, so a mutation needs new ones."""

    def __init__(self, context: Context) -> None:
        catalogue, batches, caller = context.catalogue, context.batches, context.caller

        async def batches_by_ids(batch_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, BatchRow]:
            return await batches.by_ids(batch_ids, caller)

        async def genre_song_counts(genres: list[str]) -> list[int]:
            # There are few genres, so one statement reads all of them.
            counts = await catalogue.genre_song_counts()
            return [counts.get(genre, 0) for genre in genres]

        self.song: DataLoader[int, StoredSong | None] = _by_key(catalogue.songs_by_track_ids)
        self.batch: DataLoader[uuid.UUID, BatchRow | None] = _by_key(batches_by_ids)
        self.manifest: DataLoader[str, dict[str, Any] | None] = _by_key(catalogue.manifests_by_versions)
        self.explanation: DataLoader[StoredSong, SongExplanation | None] = DataLoader(
            load_fn=context.explanations.of, cache_key_fn=attrgetter("track_id", "batch_id")
        )
        self.genre_song_count: DataLoader[str, int] = DataLoader(load_fn=genre_song_counts)


def _by_key(read: Callable[[Iterable[Key]], Awaitable[dict[Key, Value]]]) -> DataLoader[Key, Value | None]:
    async def load(keys: list[Key]) -> list[Value | None]:
        values = await read(keys)
        return [values.get(key) for key in keys]

    return DataLoader(load_fn=load)


@dataclass
class Context:
    """The context of one request, or of all operations on one WebSocket."""

    caller: Caller
    catalogue: Catalogue
    accuracy: AccuracyOnVerified
    batches: Batches
    classification: ClassificationService
    following: Following
    explanations: StoredExplanations
    verification: Verification
    manifest: Manifest
    is_known: Callable[[Caller], bool]
    on_operation: Callable[[HTTPConnection | None, Caller, Operation], None]
    connection: HTTPConnection | None = None
    connection_params: dict[str, object] | None = None  # the payload of connection_init
    _loaders: Loaders | None = field(default=None, init=False)

    @property
    def loaders(self) -> Loaders:
        """The loaders of the current operation, created on first use."""
        if self._loaders is None:
            self._loaders = Loaders(self)
        return self._loaders

    @property
    def client_id(self) -> str:
        """The caller's ID."""
        return self.caller.client_id

    def check_caller(self) -> None:
        """Check that the client of a WebSocket, opened perhaps hours ago, is still valid.

        Raises:
            ForbiddenError: the client was revoked or its role has changed.
        """
        if not self.is_known(self.caller):
            raise ForbiddenError("Your credentials are no longer valid. Reconnect with valid credentials.")

    def reset_loaders(self) -> None:
        """Discard the loaders, because stored data may have changed."""
        self._loaders = None


@dataclass
class Notes:
    """Notes about an operation, for its log line and metrics.

    Attributes:
        document: None until it is parsed.
        refusal: code of a rejection that is returned as a union member instead of a GraphQL error.
        rows: number of song rows sent with the operation.
    """

    document: Document | None = None
    refusal: str | None = None
    rows: int | None = None


notes: ContextVar[Notes] = ContextVar("notes")
"""Of the current operation; operations on one WebSocket share a `Context` and run concurrently."""


def selects_any(fields: AbstractSet[str]) -> bool:
    """Return whether the current document contains any of these fields, at any level."""
    document = notes.get().document
    return document is None or not fields.isdisjoint(document.field_names)


Info = strawberry.Info[Context, None]
