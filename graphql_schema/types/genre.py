"""Genres: strings, not an enum, because a retrained model may know others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import strawberry

from app.repositories.songs import SongFilter
from graphql_schema.arguments import DEFAULT_SONGS, After, First
from graphql_schema.context import Info

if TYPE_CHECKING:
    from graphql_schema.types.song import SongConnection


@strawberry.type(description="A genre that songs can be of.")
class Genre:
    name: str = strawberry.field(description="Name of the genre, such as `metal`.")

    @strawberry.field(description="How many stored songs are of this genre.")
    async def song_count(self, info: Info) -> int:
        return await info.context.loaders.genre_song_count.load(self.name)

    @strawberry.field(description="Songs of this genre by title, ties by track id.")
    async def songs(
        self, info: Info, first: First = DEFAULT_SONGS, after: After = None
    ) -> Annotated[SongConnection, strawberry.lazy("graphql_schema.types.song")]:
        from graphql_schema.types.song import song_connection  # songs have genres

        return await song_connection(info, SongFilter(genre=self.name), first, after)


@strawberry.type(description="How likely a genre is for a song, by the model.")
class GenreProbability:
    genre: str = strawberry.field(description="Name of the genre.")
    probability: float = strawberry.field(description="From 0 to 1; the probabilities of a song add up to 1.")


@strawberry.type(description="How many songs of a batch the model gave a genre.")
class BatchGenre:
    genre: Genre = strawberry.field(description="The genre; its own `songCount` counts all stored songs.")
    song_count: int = strawberry.field(description="How many songs of the batch it was given to.")
