"""What can be asked."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import relay

from app.repositories.songs import SongFilter
from app.services.errors import InvalidArgumentError
from graphql_schema.arguments import DEFAULT_BATCHES, DEFAULT_SONGS, After, First
from graphql_schema.context import Info
from graphql_schema.types.batch import Batch, BatchConnection, batch_connection, batch_uuid
from graphql_schema.types.genre import Genre
from graphql_schema.types.model import Model
from graphql_schema.types.song import Song, SongConnection, song_connection


@strawberry.type(description="What can be asked.")
class Query:
    @strawberry.field(description="The genres that songs are stored of, by name.")
    async def genres(self, info: Info) -> list[Genre]:
        counts = await info.context.catalogue.genre_song_counts()
        for genre, count in counts.items():
            info.context.loaders.genre_song_count.prime(genre, count)
        return [Genre(name=genre) for genre in counts]

    @strawberry.field(description="Songs by title, ties by track id. A song must fit every condition given.")
    async def songs(
        self,
        info: Info,
        genre: Annotated[
            str | None,
            strawberry.argument(
                description="Of this genre; an unknown one is an error that lists those there are."
            ),
        ] = None,
        title_contains: Annotated[
            str | None,
            strawberry.argument(description="With this text in the title, in whatever case."),
        ] = None,
        batch_id: Annotated[
            relay.GlobalID | None,
            strawberry.argument(description="Classified last in this batch: the `id` of a `Batch`."),
        ] = None,
        confident: Annotated[
            bool | None,
            strawberry.argument(description="True for the confident ones alone, false for the uncertain."),
        ] = None,
        first: First = DEFAULT_SONGS,
        after: After = None,
    ) -> SongConnection:
        batch = None if batch_id is None else batch_uuid("batchId", batch_id)
        if batch is not None and await info.context.loaders.batch.load(batch) is None:
            raise InvalidArgumentError("batchId", "there is no such batch")
        return await song_connection(info, SongFilter(genre, title_contains, batch, confident), first, after)

    @strawberry.field(description="The stored song of a track id; null if there is none.")
    async def song(
        self,
        info: Info,
        track_id: Annotated[strawberry.ID, strawberry.argument(description="The track id, as uploaded.")],
    ) -> Song | None:
        if not (track_id.isascii() and track_id.isdecimal()):
            raise InvalidArgumentError("trackId", "must be a whole number, 0 or more")
        return await Song.find(track_id, info)

    @strawberry.field(
        description="A batch of yours; null if there is none of this id. Admins see those of all clients."
    )
    async def batch(
        self,
        info: Info,
        id: Annotated[relay.GlobalID, strawberry.argument(description="The `id` of a `Batch`.")],
    ) -> Batch | None:
        return await Batch.find(str(batch_uuid("id", id)), info)

    @strawberry.field(description="Your batches, newest first; for admins those of all clients.")
    async def batches(
        self, info: Info, first: First = DEFAULT_BATCHES, after: After = None
    ) -> BatchConnection:
        return await batch_connection(info, first, after)

    @strawberry.field(description="The model that classifies songs now.")
    def model(self, info: Info) -> Model:
        return Model.of(info.context.manifest)

    @strawberry.field(description="Anything that has an `id`; null if there is none of this one.")
    async def node(
        self,
        info: Info,
        id: Annotated[relay.GlobalID, strawberry.argument(description="The `id` of a `Song` or `Batch`.")],
    ) -> relay.Node | None:
        # Not Strawberry's relay.node(): its field cannot be part of two schemas.
        for node_type in (Song, Batch):
            if id.type_name == node_type.__name__:
                return await node_type.find(id.node_id, info)
        return None
