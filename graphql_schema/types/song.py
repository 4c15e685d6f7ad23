"""Classified songs and pages of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

import strawberry
from strawberry import relay

from app.database.tables import SongRow
from app.repositories.paging import Page
from app.repositories.songs import SongFilter, song_cursor
from app.services.reasons import MAX_REASONS, Reasons
from graphql_schema.arguments import DEFAULT_SONGS
from graphql_schema.context import Info
from graphql_schema.paging import page_info
from graphql_schema.types.genre import Genre, GenreProbability
from ml import explanation
from ml.songs import MAX_TRACK_ID

if TYPE_CHECKING:
    from graphql_schema.types.batch import Batch


DEFAULT_REASONS = 5


@strawberry.type(
    description=(
        "What a feature of a song had to say for its genre. The contributions of all features and a base "
        "that the song does not change add up to the genre's log-odds, less the mean of all genres."
    )
)
class FeatureContribution:
    feature: str = strawberry.field(description="Name of the feature in the model, such as `share_spanish`.")
    label: str = strawberry.field(description="Its name for people, such as `lyrics: Spanish share`.")
    value: float = strawberry.field(description="The song's value of the feature.")
    contribution: float = strawberry.field(
        description="What it adds to the log-odds of the genre; below 0 it spoke for other genres."
    )

    @classmethod
    def of(cls, found: explanation.FeatureContribution) -> Self:
        """Make the contribution of what the model says."""
        return cls(
            feature=found.feature, label=found.label, value=found.value, contribution=found.contribution
        )


@strawberry.type(description="A song and the genre that the model gave it.")
class Song(relay.Node):
    row: strawberry.Private[SongRow]
    reasons: strawberry.Private[Reasons | None]
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
    def of(cls, row: SongRow, reasons: Reasons | None = None) -> Self:
        """Make the song of a stored row, with the reasons for its genre where they can still be told."""
        return cls(
            row=row,
            reasons=reasons,
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

    @strawberry.field(
        description=(
            "The features that spoke most for the genre, strongest first. Only the songs that "
            "`classifySongs` returns have it, null elsewhere: no features are kept of stored songs."
        )
    )
    async def explanation(
        self,
        first: Annotated[
            int | None, strawberry.argument(description=f"How many at most, from 0 to {MAX_REASONS}.")
        ] = DEFAULT_REASONS,
    ) -> list[FeatureContribution] | None:
        if self.reasons is None:
            return None
        wanted = DEFAULT_REASONS if first is None else first
        return [
            FeatureContribution.of(found) for found in await self.reasons.strongest(self.row.track_id, wanted)
        ]

    @strawberry.field(
        description="The batch in which the song was classified last; null if it is another client's."
    )
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
