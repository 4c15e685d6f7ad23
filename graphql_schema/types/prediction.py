"""Songs that were classified but not stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

import strawberry
from strawberry import field

from app.batches.receive import PredictedSongs as Predicted
from app.batches.stored_songs import MAX_FEATURES, SongExplanations
from graphql_schema.inputs import checked_first
from graphql_schema.types.problem import InvalidSongs
from graphql_schema.types.song import (
    DEFAULT_FEATURES,
    FeatureContribution,
    FirstFeatures,
    Genre,
    GenreProbability,
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
        wanted = checked_first(first, DEFAULT_FEATURES, MAX_FEATURES)
        explanation = await self.explanations.of(self.place)
        return explanation(wanted)


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
