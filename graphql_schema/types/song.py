"""Classified songs and pages of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

import strawberry
from strawberry import relay

from app.database.tables import SongRow
from app.repositories.paging import Page
from app.repositories.songs import SongFilter, song_cursor
from graphql_schema.arguments import DEFAULT_SONGS
from graphql_schema.context import Info
from graphql_schema.paging import page_info
from graphql_schema.types.genre import Genre, GenreProbability
from ml.songs import MAX_TRACK_ID

if TYPE_CHECKING:
    from graphql_schema.types.batch import Batch


@strawberry.type(description="A song and the genre that the model gave it.")
class Song(relay.Node):
    row: strawberry.Private[SongRow]
    key: relay.NodeID[int]
    track_id: strawberry.ID = strawberry.field(description="The song's track id, as uploaded.")
    title: str = strawberry.field(description="The song's title, as uploaded.")
    genre: Genre = strawberry.field(description="The genre that the model finds most likely.")
    confidence: float = strawberry.field(description="The probability of that genre, from 0 to 1.")
    confident: bool = strawberry.field(
        description="Whether that probability reaches the `minConfidence` that the song was classified with."
    )
    model_version: str = strawberry.field(description="Version of the model that decided.")
    classified_at: datetime = strawberry.field(description="When the song was classified last.")

    @classmethod
    def of(cls, row: SongRow) -> Self:
        """Make the song of a stored row."""
        return cls(
            row=row,
            key=row.track_id,
            track_id=strawberry.ID(str(row.track_id)),
            title=row.title,
            genre=Genre(name=row.genre),
            confidence=row.confidence,
            confident=row.confident,
            model_version=row.model_version,
            classified_at=row.classified_at,
        )

    @strawberry.field(description="The probability of every genre that the model knows, highest first.")
    async def probabilities(self, info: Info) -> list[GenreProbability]:
        model = await info.context.loaders.model.load(self.row.model_version)
        if model is None:
            return []
        by_genre = zip(model.manifest["genres"], self.row.probabilities, strict=True)
        return [
            GenreProbability(genre=genre, probability=probability)
            for genre, probability in sorted(by_genre, key=lambda pair: -pair[1])
        ]

    @strawberry.field(description="The batch in which the song was classified last.")
    async def batch(
        self, info: Info
    ) -> Annotated[Batch, strawberry.lazy("graphql_schema.types.batch")] | None:
        from graphql_schema.types.batch import Batch  # batches have songs

        row = await info.context.loaders.batch.load(self.row.batch_id)
        return None if row is None else Batch.of(row)

    @classmethod
    async def find(cls, node_id: str, info: Info) -> Self | None:
        """Return the stored song of a track id, None if there is none."""
        if not node_id.isdecimal() or int(node_id) > MAX_TRACK_ID:
            return None
        row = await info.context.loaders.song.load(int(node_id))
        return None if row is None else cls.of(row)


@strawberry.type(description="A song in a list, with its place.")
class SongEdge:
    cursor: str = strawberry.field(description="Pass it as `after` to continue behind this song.")
    node: Song = strawberry.field(description="The song.")


@strawberry.type(description="A page of songs by title, ties by track id.")
class SongConnection:
    wanted: strawberry.Private[SongFilter]
    page: strawberry.Private[Page[SongRow]]
    page_info: relay.PageInfo = strawberry.field(description="Where this page is in the list.")

    @strawberry.field(description="The songs of this page, each with its cursor.")
    def edges(self) -> list[SongEdge]:
        return [SongEdge(cursor=song_cursor(row), node=Song.of(row)) for row in self.page.rows]

    @strawberry.field(description="The songs of this page.")
    def nodes(self) -> list[Song]:
        return [Song.of(row) for row in self.page.rows]

    @strawberry.field(description="How many songs the whole list has; worked out only when asked for.")
    async def total_count(self, info: Info) -> int:
        return await info.context.catalogue.song_count(self.wanted)


async def song_connection(
    info: Info, wanted: SongFilter, first: int | None, after: str | None
) -> SongConnection:
    """Read a page of songs.

    Raises:
        InvalidRequestError, InvalidCursorError: see `Catalogue.songs`.
    """
    page = await info.context.catalogue.songs(wanted, DEFAULT_SONGS if first is None else first, after)
    return SongConnection(wanted=wanted, page=page, page_info=page_info(page, after, song_cursor))
