"""Songs that were classified but not stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

import strawberry

from app.batches.explanations import MAX_FEATURES, SongExplanations
from app.batches.receive import PredictedSongs as Predicted
from graphql_schema.paging import checked_first
from graphql_schema.types.genre import Genre, GenreProbability
from graphql_schema.types.problem import InvalidSongs
from graphql_schema.types.song import DEFAULT_FEATURES, FeatureContribution, FirstFeatures
from ml.model.manifest import Manifest


@strawberry.type(description="A classified song that is not stored.")
class PredictedSong:
    place: strawberry.Private[int]
    explanations: strawberry.Private[SongExplanations]
    by_genre: strawberry.Private[Sequence[tuple[str, float]]]
    track_id: strawberry.ID = strawberry.field(description="The track ID, as sent.")
    title: str = strawberry.field(description="The title, as sent.")
    genre: Genre = strawberry.field(description="The most likely genre.")
    confidence: float = strawberry.field(description="The probability of that genre, from 0 to 1.")
    confident: bool = strawberry.field(description="Whether the confidence reaches `minConfidence`.")

    @strawberry.field(description="The probability of every genre the model predicts, highest first.")
    def probabilities(self) -> list[GenreProbability]:
        return GenreProbability.ranked(self.by_genre)

    @strawberry.field(description="The features contributing most to the genre, strongest first.")
    async def explanation(self, first: FirstFeatures = DEFAULT_FEATURES) -> list[FeatureContribution]:
        wanted = checked_first(first, DEFAULT_FEATURES, MAX_FEATURES)
        explanation = await self.explanations.of(self.place)
        return [FeatureContribution.of(found) for found in explanation.strongest(wanted)]


@strawberry.type(description="Songs sent as JSON, classified but not stored.")
class PredictedSongs:
    songs: list[PredictedSong] = strawberry.field(
        description="The songs in the order sent, without skipped ones."
    )
    model_version: str = strawberry.field(description="The version of the model used.")
    rows_with_missing_values: int = strawberry.field(
        description="The number of songs skipped because of a missing value."
    )
    rows_classified_with_missing_values: int = strawberry.field(
        description="The number of songs classified despite missing values."
    )
    rows_invalid: int = strawberry.field(
        description="The number of songs skipped because of an invalid value."
    )

    @classmethod
    def of(cls, predicted: Predicted, manifest: Manifest, min_confidence: float) -> Self:
        """Create the songs from the predictions."""
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
