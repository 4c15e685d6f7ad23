"""Songs, their genres, and pages of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from operator import methodcaller
from typing import TYPE_CHECKING, Annotated, Final, Self, TypeVar

import strawberry
from strawberry import argument, field, relay

from app.batches.stored_songs import MAX_FEATURES, SongExplanation, SongExplanations
from app.catalogue.paging import Page
from app.catalogue.repository import SongFilter, SongOrder, StoredSong
from graphql_schema.context import Info, selects_any
from graphql_schema.declarations import READ_UNLESS_NONE, describe_enum, reads
from graphql_schema.inputs import DEFAULT_SONGS, After, First, checked_first
from ml.model.explanation import FeatureContribution as Contribution
from ml.songs.contract import MAX_TRACK_ID

if TYPE_CHECKING:
    from graphql_schema.types.batch import Batch

Row = TypeVar("Row")

DEFAULT_FEATURES = 5

FirstFeatures = Annotated[int | None, argument(f"The maximum number to return, from 0 to {MAX_FEATURES}.")]

_OF_WHOLE_ROWS: Final = {
    *("batch", "classifiedAt", "explanation", "probabilities"),
    *("predictedGenre", "verifiedGenre", "verification"),
}
"""Fields of songs that need columns which pages do not read by default."""

describe_enum(
    SongOrder,
    "The order of a list of songs.",
    TITLE="By title in code point order, then by track ID.",
    CONFIDENCE="Least confident first, then by track ID.",
    CONFIDENCE_DESC="Most confident first, then by descending track ID.",
)


@strawberry.type(description="A music genre.")
class Genre:
    name: str = field(description="The name of the genre, such as `metal`.")
    known_count: strawberry.Private[int | None] = None

    @classmethod
    @lru_cache(256)
    def named(cls, name: str) -> Self:
        """Return the shared object for a genre name."""
        return cls(name=name)

    @field(
        description="The number of stored songs of this genre.", metadata={READ_UNLESS_NONE: "known_count"}
    )
    async def song_count(self, info: Info) -> int:
        if self.known_count is not None:
            return self.known_count
        return await info.context.loaders.genre_song_count.load(self.name)

    @field(description="The songs of this genre, ordered by title, then track ID.")
    async def songs(self, info: Info, first: First = DEFAULT_SONGS, after: After = None) -> SongConnection:
        return await song_connection(info, SongFilter(genre=self.name), first, after)


@strawberry.type(description="The predicted probability of a genre.")
class GenreProbability:
    genre: str = field(description="The name of the genre.")
    probability: float = field(
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
    genre: Genre = field(description="The genre. Its own `songCount` counts all stored songs.")
    song_count: int = field(description="The number of songs in the batch with this genre.")


@strawberry.type(
    description=(
        "The contribution of a feature, or of a group of audio features, to a song's genre. All "
        "contributions plus a constant add up to the genre's log-odds relative to the mean over all "
        "genres."
    )
)
class FeatureContribution:
    feature: str = field(
        description="The name of the feature, such as `share_spanish`, or of the feature group."
    )
    label: str = field(description="A human-readable name, such as `Spanish words`.")
    value: float | None = field(
        description="The song's value of the feature. Null if missing, and for feature groups."
    )
    contribution: float = field(
        description="The amount added to the genre's log-odds. Negative values count against the genre."
    )
    text: str = field(description="The contribution in words, such as `few Spanish words: against pop`.")


@strawberry.type(description="A verification of a song's genre.")
class Verification:
    row: strawberry.Private[StoredSong]
    verified_at: datetime = reads("row.verified_at", "When the genre was verified.")
    model_version: str = reads(
        "row.verified_model_version", "The version of the model that had predicted the genre at that time."
    )

    @field(description="The client that verified it. Only admins see other clients; null otherwise.")
    def verified_by(self, info: Info) -> str | None:
        client_id = self.row.verified_by
        return client_id if client_id is not None and info.context.caller.may_see(client_id) else None


@strawberry.type(description="A stored song and its genre.")
class Song(relay.Node):
    row: strawberry.Private[StoredSong]
    explanations: strawberry.Private[SongExplanations | None]
    key: relay.NodeID[int]
    track_id: strawberry.ID = reads("row.track_id", "The track ID, as uploaded.")
    title: str = reads("row.title", "The title, as uploaded.")
    genre: Genre = reads("own_genre", "The verified genre if there is one, otherwise the predicted genre.")
    predicted_genre: Genre = reads("most_likely_genre", "The most likely genre.")
    confidence: float = reads("row.confidence", "The probability of `predictedGenre`, from 0 to 1.")
    confident: bool = reads(
        "row.confident", "Whether the confidence reaches the `minConfidence` used for classification."
    )
    model_version: str = reads("row.model_version", "The version of the model used.")
    classified_at: datetime = reads("row.classified_at", "When the song was last classified.")
    verified_genre: Genre | None = reads(
        "recorded_genre", "The genre set with `verifySongs`. Null if the song is not verified."
    )

    @classmethod
    def of(cls, row: StoredSong, explanations: SongExplanations | None = None) -> Self:
        """Create the song from a stored row, with its explanation if available."""
        return cls(row=row, explanations=explanations, key=row.track_id)

    @property
    def own_genre(self) -> Genre:
        return Genre.named(self.row.genre)

    @property
    def most_likely_genre(self) -> Genre:
        return Genre.named(self.row.predicted_genre)

    @property
    def recorded_genre(self) -> Genre | None:
        return None if self.row.verified_genre is None else Genre.named(self.row.verified_genre)

    @field(description="Who verified the genre, and when. Null if the song is not verified.")
    def verification(self) -> Verification | None:
        return None if self.row.verified_genre is None else Verification(row=self.row)

    @field(description="The probability of every genre the model predicts, highest first.")
    async def probabilities(self, info: Info) -> list[GenreProbability]:
        manifest = await info.context.loaders.manifest.load(self.row.model_version)
        if manifest is None:
            return []
        return GenreProbability.ranked(zip(manifest["genres"], self.row.probabilities, strict=True))

    @field(
        description=(
            "The features contributing most to `predictedGenre`, strongest first. Null if another model "
            "classified the song or its features are not stored."
        ),
        graphql_type=list[FeatureContribution] | None,
    )
    async def explanation(
        self, info: Info, first: FirstFeatures = DEFAULT_FEATURES
    ) -> list[Contribution] | None:
        count, row = checked_first(first, DEFAULT_FEATURES, MAX_FEATURES), self.row
        explanation: SongExplanation | None
        if self.explanations is not None:
            explanation = await self.explanations.of(row.track_id)
        else:
            explanation = await info.context.loaders.explanation.load(row)
        return None if explanation is None else explanation(count)

    @field(description="The batch that last classified the song. Null if it belongs to another client.")
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
    cursor: str = reads("place", "Pass as `after` to return the songs after this one.")
    node: Song = field(description="The song.")

    @property
    def place(self) -> str:
        """The song's cursor in lists of this order."""
        return self.node.row.cursor(self.order)


@strawberry.type(description="A page of songs.")
class SongConnection:
    conditions: strawberry.Private[SongFilter]
    order: strawberry.Private[SongOrder]
    page: strawberry.Private[Page[StoredSong]]
    page_info: relay.PageInfo = field(description="Information about this page.")
    edges: list[SongEdge] = reads("songs_with_cursors", "The songs on this page with their cursors.")
    nodes: list[Song] = reads("songs", "The songs on this page.")

    @property
    def songs(self) -> list[Song]:
        return [Song.of(row) for row in self.page.rows]

    @property
    def songs_with_cursors(self) -> list[SongEdge]:
        return [SongEdge(node=song, order=self.order) for song in self.songs]

    @field(description="The total number of songs. Computed only when requested.")
    async def total_count(self, info: Info) -> int:
        return await info.context.catalogue.song_count(self.conditions)


async def song_connection(
    info: Info,
    conditions: SongFilter,
    first: int | None,
    after: str | None,
    order: SongOrder = SongOrder.TITLE,
) -> SongConnection:
    """Read a page of songs.

    Raises:
        InvalidRequestError, InvalidCursorError: see `Catalogue.songs`.
    """
    page = await info.context.catalogue.songs(
        conditions, order, DEFAULT_SONGS if first is None else first, after, whole=selects_any(_OF_WHOLE_ROWS)
    )
    information = page_info(page, after, methodcaller("cursor", order))
    return SongConnection(conditions=conditions, order=order, page=page, page_info=information)


def page_info(page: Page[Row], after: str | None, cursor: Callable[[Row], str]) -> relay.PageInfo:
    """Return the PageInfo of a forward page that starts after `after`."""
    return relay.PageInfo(
        has_next_page=page.has_next_page,
        has_previous_page=after is not None,
        start_cursor=cursor(page.rows[0]) if page.rows else None,
        end_cursor=cursor(page.rows[-1]) if page.rows else None,
    )
