"""Queries and subscriptions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Self

import strawberry
from strawberry import argument, field, relay

from app.batches.receive import PredictedSongs as Predicted
from app.batches.repository import batch_cursor
from app.batches.stored_songs import MAX_FEATURES, SongExplanations
from app.catalogue.errors import InvalidArgumentError
from app.catalogue.repository import SongFilter, SongOrder
from graphql_schema.context import Info, notes
from graphql_schema.inputs import (
    DEFAULT_BATCHES,
    DEFAULT_SONGS,
    After,
    BatchId,
    First,
    SongsToClassify,
    batch_options,
    checked_first,
)
from graphql_schema.types.batch import Batch, BatchConnection, batch_uuid, known_batch
from graphql_schema.types.model import AccuracyOnVerified, Model
from graphql_schema.types.problem import InvalidSongs
from graphql_schema.types.song import (
    DEFAULT_FEATURES,
    FeatureContribution,
    FirstFeatures,
    Genre,
    GenreProbability,
    Song,
    SongConnection,
    page_info,
    song_connection,
)
from ml.model.explanation import FeatureContribution as Contribution
from ml.model.manifest import Manifest


@strawberry.type(description="A classified song that is not stored.")
class PredictedSong:
    place: strawberry.Private[int]
    explanations: strawberry.Private[SongExplanations]
    by_genre: strawberry.Private[Sequence[tuple[str, float]]]
    track_id: strawberry.ID = field(description="The track ID, as sent.")
    title: str = field(description="The title, as sent.")
    genre: Genre = field(description="The most likely genre.")
    confidence: float = field(description="The probability of that genre, from 0 to 1.")
    confident: bool = field(description="Whether the confidence reaches `minConfidence`.")

    @field(description="The probability of every genre the model predicts, highest first.")
    def probabilities(self) -> list[GenreProbability]:
        return GenreProbability.ranked(self.by_genre)

    @field(
        description="The features contributing most to the genre, strongest first.",
        graphql_type=list[FeatureContribution],
    )
    async def explanation(self, first: FirstFeatures = DEFAULT_FEATURES) -> list[Contribution]:
        count = checked_first(first, DEFAULT_FEATURES, MAX_FEATURES)
        explanation = await self.explanations.of(self.place)
        return explanation(count)


@strawberry.type(description="Songs sent as JSON, classified but not stored.")
class PredictedSongs:
    songs: list[PredictedSong] = field(description="The songs in the order sent, without skipped ones.")
    model_version: str = field(description="The version of the model used.")
    rows_with_missing_values: int = field(
        description="The number of songs skipped because of a missing value."
    )
    rows_classified_with_missing_values: int = field(
        description="The number of songs classified despite missing values."
    )
    rows_invalid: int = field(description="The number of songs skipped because of an invalid value.")

    @classmethod
    def of(cls, predicted: Predicted, manifest: Manifest, min_confidence: float) -> Self:
        part, genres = predicted.part, manifest.genres
        best, confidences = part.best.tolist(), part.confidences.tolist()
        rows = zip(part.track_ids.tolist(), part.titles, part.probabilities.tolist(), strict=True)
        songs = [
            PredictedSong(
                place=place,
                explanations=predicted.explanations,
                by_genre=list(zip(genres, probabilities, strict=True)),
                track_id=strawberry.ID(str(track_id)),
                title=title,
                genre=Genre(name=genres[best[place]]),
                confidence=confidences[place],
                confident=confidences[place] >= min_confidence,
            )
            for place, (track_id, title, probabilities) in enumerate(rows)
        ]
        return cls(
            songs=songs,
            model_version=manifest.model_version,
            rows_with_missing_values=predicted.report.rows_with_missing_values,
            rows_classified_with_missing_values=predicted.report.rows_with_missing_values_classified,
            rows_invalid=predicted.report.rows_invalid,
        )


PredictSongsResult = Annotated[
    PredictedSongs | InvalidSongs,
    strawberry.union("PredictSongsResult", description="The songs, or the reason they were refused."),
]


@strawberry.type(description="Queries.")
class Query:
    @field(description="The genres of all stored songs, ordered by name.")
    async def genres(self, info: Info) -> list[Genre]:
        counts = await info.context.catalogue.genre_song_counts()
        return [Genre(name=genre, known_count=count) for genre, count in counts.items()]

    @field(description="Stored songs that match all conditions given, ordered by title by default.")
    async def songs(
        self,
        info: Info,
        genre: Annotated[
            str | None,
            argument("Only songs of this genre. An unknown genre is an error that lists the known ones."),
        ] = None,
        title_contains: Annotated[
            str | None, argument("Only songs whose title contains this text, case-insensitively.")
        ] = None,
        batch_id: Annotated[
            relay.GlobalID | None, argument("Only songs last classified by this batch.")
        ] = None,
        confident: Annotated[
            bool | None, argument("True for confident songs only, false for uncertain songs only.")
        ] = None,
        model_version: Annotated[str | None, argument("Songs last classified by this model version.")] = None,
        verified: Annotated[
            bool | None, argument("True for verified songs only, false for unverified songs only.")
        ] = None,
        min_confidence: Annotated[
            float | None, argument("Only songs with at least this confidence, from 0 to 1.")
        ] = None,
        max_confidence: Annotated[
            float | None, argument("Only songs with at most this confidence, from 0 to 1.")
        ] = None,
        order_by: Annotated[
            SongOrder | None, argument("The order of the songs. A cursor is valid for one order only.")
        ] = SongOrder.TITLE,
        first: First = DEFAULT_SONGS,
        after: After = None,
    ) -> SongConnection:
        conditions = SongFilter(
            genre,
            title_contains,
            await known_batch(info, batch_id),
            confident,
            model_version,
            verified,
            min_confidence,
            max_confidence,
        )
        return await song_connection(info, conditions, first, after, order_by or SongOrder.TITLE)

    @field(description="The stored song with this track ID, or null.")
    async def song(
        self, info: Info, track_id: Annotated[strawberry.ID, argument("The track ID, as uploaded.")]
    ) -> Song | None:
        if not (track_id.isascii() and track_id.isdecimal()):
            raise InvalidArgumentError("trackId", "must be a whole number, 0 or more")
        return await Song.find(track_id, info)

    @field(description="Classify songs sent as JSON without storing anything.")
    async def predict_songs(self, info: Info, input: SongsToClassify) -> PredictSongsResult:
        options = batch_options("input", input)
        predicted = await info.context.classification.predict(input.to_records(), options)
        notes.get().rows = predicted.report.rows
        return PredictedSongs.of(predicted, info.context.manifest, options.min_confidence)

    @field(description="One of your batches by ID, or null. Admins see the batches of all clients.")
    async def batch(
        self, info: Info, id: Annotated[relay.GlobalID, argument("The `id` of a `Batch`.")]
    ) -> Batch | None:
        return await Batch.find(str(batch_uuid("id", id)), info)

    @field(description="Your batches, newest first. Admins see the batches of all clients.")
    async def batches(
        self, info: Info, first: First = DEFAULT_BATCHES, after: After = None
    ) -> BatchConnection:
        count = DEFAULT_BATCHES if first is None else first
        page = await info.context.batches.page(count, after, info.context.caller)
        return BatchConnection(page=page, page_info=page_info(page, after, batch_cursor))

    @field(description="The current model.")
    def model(self, info: Info) -> Model:
        return Model.of(info.context.manifest)

    @field(description="The current model's accuracy on verified songs.")
    async def accuracy_on_verified(self, info: Info) -> AccuracyOnVerified:
        return AccuracyOnVerified.of(await info.context.accuracy.read())

    @field(description="Any object by its global ID, or null.")
    async def node(
        self, info: Info, id: Annotated[relay.GlobalID, argument("The `id` of a `Song` or `Batch`.")]
    ) -> relay.Node | None:
        # Not Strawberry's relay.node(): its field cannot be part of two schemas.
        for node_type in (Song, Batch):
            if id.type_name == node_type.__name__:
                return await node_type.find(id.node_id, info)
        return None


@strawberry.type(description="Subscriptions.")
class Subscription:
    @strawberry.subscription(
        description="Progress of one of your batches, at most once a second. Completes when the batch ends."
    )
    async def batch_progress(self, info: Info, id: BatchId) -> AsyncGenerator[Batch, None]:
        rows_of = info.context.following.follow(batch_uuid("id", id), info.context.caller)
        async with aclosing(rows_of) as rows:
            async for row in rows:
                info.context.check_caller()
                info.context.reset_loaders()
                yield Batch.of(row)
