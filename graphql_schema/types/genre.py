"""Genres: strings, not an enum, because a retrained model may know others."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from app.catalogue.repository import SongFilter
from graphql_schema.context import Info
from graphql_schema.paging import DEFAULT_SONGS, After, First
from graphql_schema.plain_fields import READ_FROM

if TYPE_CHECKING:
    from graphql_schema.types.song import SongConnection


@strawberry.type(description="A music genre.")
class Genre:
    name: str = strawberry.field(description="The name of the genre, such as `metal`.")
    known_count: strawberry.Private[int | None] = None

    @classmethod
    @lru_cache(256)
    def named(cls, name: str) -> Self:
        """Return the shared object for a genre name."""
        return cls(name=name)

    @strawberry.field(
        description="The number of stored songs of this genre.", metadata={READ_FROM: "known_count"}
    )
    async def song_count(self, info: Info) -> int:
        if self.known_count is not None:
            return self.known_count
        return await info.context.loaders.genre_song_count.load(self.name)

    @strawberry.field(description="The songs of this genre, ordered by title, then track ID.")
    async def songs(
        self, info: Info, first: First = DEFAULT_SONGS, after: After = None
    ) -> Annotated[SongConnection, strawberry.lazy("graphql_schema.types.song")]:
        from graphql_schema.types.song import song_connection  # circular import

        return await song_connection(info, SongFilter(genre=self.name), first, after)


@strawberry.type(description="The predicted probability of a genre.")
class GenreProbability:
    genre: str = strawberry.field(description="The name of the genre.")
    probability: float = strawberry.field(
        description="The probability, from 0 to 1. A song's probabilities add up to 1."
    )

    @classmethod
    def ranked(cls, by_genre: Iterable[tuple[str, float]]) -> list[Self]:
        """Return probabilities, highest first."""
        return [
            cls(genre=genre, probability=probability)
            for genre, probability in sorted(by_genre, key=lambda pair: -pair[1])
        ]


@strawberry.type(description="A genre and the number of songs in a batch predicted to belong to it.")
class BatchGenre:
    genre: Genre = strawberry.field(description="The genre. Its own `songCount` counts all stored songs.")
    song_count: int = strawberry.field(description="The number of songs in the batch with this genre.")
