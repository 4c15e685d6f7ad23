"""Classified songs and pages of them."""

from __future__ import annotations

from datetime import datetime
from operator import methodcaller
from typing import TYPE_CHECKING, Annotated, Final, Self

import strawberry
from strawberry import relay

from app.batches.explanations import (
    MAX_FEATURES,
    SongExplanation,
    SongExplanations,
    SongToExplain,
)
from app.catalogue.paging import Page
from app.catalogue.repository import SongFilter, SongOrder, StoredSong
from graphql_schema.context import Info
from graphql_schema.operations import selects_any
from graphql_schema.paging import DEFAULT_SONGS, checked_first, page_info
from graphql_schema.plain_fields import kept
from graphql_schema.types.genre import Genre, GenreProbability
from ml.model import explanation
from ml.songs.contract import MAX_TRACK_ID

if TYPE_CHECKING:
    from graphql_schema.types.batch import Batch


DEFAULT_FEATURES = 5

FirstFeatures = Annotated[
    int | None, strawberry.argument(description=f"The maximum number to return, from 0 to {MAX_FEATURES}.")
]

_OF_WHOLE_ROWS: Final = frozenset(
    {
        *("batch", "classifiedAt", "explanation", "probabilities"),
        *("predictedGenre", "verifiedGenre", "verification"),
    }
)
"""Fields of songs that need columns which pages do not read by default."""


@strawberry.type(
    description=(
        "The contribution of a feature, or of a group of audio features, to a song's genre. All "
        "contributions plus a constant add up to the genre's log-odds relative to the mean over all "
        "genres."
    )
)
class FeatureContribution:
    feature: str = strawberry.field(
        description="The name of the feature, such as `share_spanish`, or of the feature group."
    )
    label: str = strawberry.field(description="A human-readable name, such as `Spanish words`.")
    value: float | None = strawberry.field(
        description="The song's value of the feature. Null if missing, and for feature groups."
    )
    contribution: float = strawberry.field(
        description="The amount added to the genre's log-odds. Negative values count against the genre."
    )
    text: str = strawberry.field(
        description="The contribution in words, such as `few Spanish words: against pop`."
    )

    @classmethod
    def of(cls, found: explanation.FeatureContribution) -> Self:
        """Create it from the model's contribution."""
        return cls(
            feature=found.feature,
            label=found.label,
            value=found.value,
            contribution=found.contribution,
            text=found.text,
        )


@strawberry.type(description="A verification of a song's genre.")
class Verification:
    row: strawberry.Private[StoredSong]
    verified_at: datetime = kept("row.verified_at", "When the genre was verified.")
    model_version: str = kept(
        "row.verified_model_version", "The version of the model that had predicted the genre at that time."
    )

    @strawberry.field(
        description="The client that verified it. Only admins see other clients; null otherwise."
    )
    def verified_by(self, info: Info) -> str | None:
        client_id = self.row.verified_by
        return client_id if client_id is not None and info.context.caller.may_see(client_id) else None


@strawberry.type(description="A stored song and its genre.")
class Song(relay.Node):
    row: strawberry.Private[StoredSong]
    explanations: strawberry.Private[SongExplanations | None]
    key: relay.NodeID[int]
    track_id: strawberry.ID = kept("row.track_id", "The track ID, as uploaded.")
    title: str = kept("row.title", "The title, as uploaded.")
    genre: Genre = kept("own_genre", "The verified genre if there is one, otherwise the predicted genre.")
    predicted_genre: Genre = kept("most_likely_genre", "The most likely genre.")
    confidence: float = kept("row.confidence", "The probability of `predictedGenre`, from 0 to 1.")
    confident: bool = kept(
        "row.confident",
        "Whether the confidence reaches the `minConfidence` used for classification.",
    )
    model_version: str = kept("row.model_version", "The version of the model used.")
    classified_at: datetime = kept("row.classified_at", "When the song was last classified.")

    @classmethod
    def of(cls, row: StoredSong, explanations: SongExplanations | None = None) -> Self:
        """Create the song from a stored row, with its explanation if available."""
        return cls(row=row, explanations=explanations, key=row.track_id)

    @property
    def own_genre(self) -> Genre:
        """The song's genre."""
        return Genre.named(self.row.genre)

    @property
    def most_likely_genre(self) -> Genre:
        """The predicted genre."""
        return Genre.named(self.row.predicted_genre)

    @strawberry.field(description="The genre set with `verifySongs`. Null if the song is not verified.")
    def verified_genre(self) -> Genre | None:
        return None if self.row.verified_genre is None else Genre.named(self.row.verified_genre)

    @strawberry.field(description="Who verified the genre, and when. Null if the song is not verified.")
    def verification(self) -> Verification | None:
        return None if self.row.verified_genre is None else Verification(row=self.row)

    @strawberry.field(description="The probability of every genre the model predicts, highest first.")
    async def probabilities(self, info: Info) -> list[GenreProbability]:
        manifest = await info.context.loaders.manifest.load(self.row.model_version)
        if manifest is None:
            return []
        return GenreProbability.ranked(zip(manifest["genres"], self.row.probabilities, strict=True))

    @strawberry.field(
        description=(
            "The features contributing most to `predictedGenre`, strongest first. Null if another model "
            "classified the song or its features are not stored."
        )
    )
    async def explanation(
        self, info: Info, first: FirstFeatures = DEFAULT_FEATURES
    ) -> list[FeatureContribution] | None:
        wanted, row = checked_first(first, DEFAULT_FEATURES, MAX_FEATURES), self.row
        explanation: SongExplanation | None
        if self.explanations is not None:
            explanation = await self.explanations.of(row.track_id)
        else:
            song = SongToExplain(row.track_id, row.batch_id, row.predicted_genre, row.model_version)
            explanation = await info.context.loaders.explanation.load(song)
        if explanation is None:
            return None
        return [FeatureContribution.of(found) for found in explanation.strongest(wanted)]

    @strawberry.field(
        description="The batch that last classified the song. Null if it belongs to another client."
    )
    async def batch(
        self, info: Info
    ) -> Annotated[Batch, strawberry.lazy("graphql_schema.types.batch")] | None:
        from graphql_schema.types.batch import Batch  # circular import

        row = await info.context.loaders.batch.load(self.row.batch_id)
        return None if row is None else Batch.of(row)

    @classmethod
    async def find(cls, node_id: str, info: Info) -> Self | None:
        """Return a stored song by track ID, or None."""
        if not node_id.isdecimal() or int(node_id) > MAX_TRACK_ID:
            return None
        row = await info.context.loaders.song.load(int(node_id))
        return None if row is None else cls.of(row)


@strawberry.type(description="A song and its cursor.")
class SongEdge:
    order: strawberry.Private[SongOrder]
    cursor: str = kept("place", "Pass as `after` to return the songs after this one.")
    node: Song = strawberry.field(description="The song.")

    @property
    def place(self) -> str:
        """The song's cursor in lists of this order."""
        return self.node.row.cursor(self.order)


@strawberry.type(description="A page of songs.")
class SongConnection:
    wanted: strawberry.Private[SongFilter]
    order: strawberry.Private[SongOrder]
    page: strawberry.Private[Page[StoredSong]]
    page_info: relay.PageInfo = strawberry.field(description="Information about this page.")
    edges: list[SongEdge] = kept("songs_with_cursors", "The songs on this page with their cursors.")
    nodes: list[Song] = kept("songs", "The songs on this page.")

    @property
    def songs(self) -> list[Song]:
        """The songs on this page."""
        return [Song.of(row) for row in self.page.rows]

    @property
    def songs_with_cursors(self) -> list[SongEdge]:
        """The edges of this page."""
        return [SongEdge(node=song, order=self.order) for song in self.songs]

    @strawberry.field(description="The total number of songs. Computed only when requested.")
    async def total_count(self, info: Info) -> int:
        return await info.context.catalogue.song_count(self.wanted)


async def song_connection(
    info: Info,
    wanted: SongFilter,
    first: int | None,
    after: str | None,
    order: SongOrder = SongOrder.TITLE,
) -> SongConnection:
    """Read a page of songs.

    Raises:
        InvalidRequestError, InvalidCursorError: see `Catalogue.songs`.
    """
    page = await info.context.catalogue.songs(
        wanted, order, DEFAULT_SONGS if first is None else first, after, whole=selects_any(_OF_WHOLE_ROWS)
    )
    return SongConnection(
        wanted=wanted,
        order=order,
        page=page,
        page_info=page_info(page, after, methodcaller("cursor", order)),
    )
