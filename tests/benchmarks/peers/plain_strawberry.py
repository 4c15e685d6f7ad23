"""Strawberry with its own caches of parsed and validated documents, on Starlette."""

from __future__ import annotations

import strawberry
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache

from tests.benchmarks.peers.catalogue import Catalogue, cursor

catalogue = Catalogue()


@strawberry.type
class Genre:
    name: str
    song_count: int | None = None


@strawberry.type
class Song:
    track_id: strawberry.ID
    title: str
    confidence: float
    genre: Genre


@strawberry.type
class SongEdge:
    cursor: str
    node: Song


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class SongConnection:
    edges: list[SongEdge]
    page_info: PageInfo


@strawberry.type
class Query:
    @strawberry.field
    async def genres(self) -> list[Genre]:
        return [Genre(name=row["genre"], song_count=row["song_count"]) for row in await catalogue.genres()]

    @strawberry.field
    async def songs(self, genre: str, first: int, after: str | None = None) -> SongConnection:
        rows, more = await catalogue.page(genre, first, after)
        edges = [
            SongEdge(
                cursor=cursor(row),
                node=Song(
                    track_id=strawberry.ID(str(row["track_id"])),
                    title=row["title"],
                    confidence=row["confidence"],
                    genre=Genre(name=row["genre"]),
                ),
            )
            for row in rows
        ]
        page_info = PageInfo(has_next_page=more, end_cursor=edges[-1].cursor if edges else None)
        return SongConnection(edges=edges, page_info=page_info)


schema = strawberry.Schema(Query, extensions=[lambda: ParserCache(256), lambda: ValidationCache(256)])
app = Starlette(
    routes=[Route("/graphql", GraphQL(schema, graphql_ide=None), methods=["POST"])],
    lifespan=catalogue.running,
)
