"""Accuracy on verified songs."""

from __future__ import annotations

from typing import Self

import strawberry

from app.catalogue import accuracy


@strawberry.type(description="The accuracy of the predicted genres on a set of verified songs.")
class Accuracy:
    songs: int = strawberry.field(description="The number of songs.")
    correct: int = strawberry.field(
        description="The number of songs whose predicted genre is the verified one."
    )
    share: float | None = strawberry.field(
        description="`correct` divided by `songs`, from 0 to 1. Null if there are no songs."
    )
    lower: float = strawberry.field(
        description="The lower bound of the 95 % confidence interval (Wilson) of the share."
    )
    upper: float = strawberry.field(
        description="The upper bound of the 95 % confidence interval of the share."
    )

    @classmethod
    def of(cls, found: accuracy.Accuracy) -> Self:
        """Create it from the counts of the catalogue."""
        lower, upper = found.interval
        return cls(songs=found.songs, correct=found.correct, share=found.share, lower=lower, upper=upper)


@strawberry.type(description="The accuracy on songs of one genre.")
class GenreAccuracy:
    genre: str = strawberry.field(description="The name of the verified genre.")
    accuracy: Accuracy = strawberry.field(description="The accuracy on the songs of this genre.")


@strawberry.type(description="The accuracy on songs in a range of confidence.")
class ConfidenceAccuracy:
    min_confidence: float = strawberry.field(description="The lower bound of the range, inclusive.")
    max_confidence: float = strawberry.field(
        description="The upper bound of the range, exclusive except for the last range."
    )
    accuracy: Accuracy = strawberry.field(description="The accuracy on the songs in this range.")


@strawberry.type(
    description=(
        "The current model's accuracy on verified songs that it was not trained on. If the least confident "
        "songs are verified first, `overall` is lower than the accuracy on the whole catalogue; "
        "`byConfidence` is not affected."
    )
)
class AccuracyOnVerified:
    model_version: str = strawberry.field(
        description="The version of the current model. Only its predictions count."
    )
    songs_verified: int = strawberry.field(
        description="The number of all verified songs, including those that do not count."
    )
    overall: Accuracy = strawberry.field(description="The accuracy on all songs that count.")
    by_genre: list[GenreAccuracy] = strawberry.field(
        description="The accuracy by verified genre, ordered by name."
    )
    by_confidence: list[ConfidenceAccuracy] = strawberry.field(
        description="The accuracy by confidence, in equal ranges from 0 to 1."
    )

    @classmethod
    def of(cls, found: accuracy.VerifiedAccuracy) -> Self:
        """Create it from the counts of the catalogue."""
        bins = found.by_confidence
        return cls(
            model_version=found.model_version,
            songs_verified=found.songs_verified,
            overall=Accuracy.of(found.overall),
            by_genre=[
                GenreAccuracy(genre=genre, accuracy=Accuracy.of(part))
                for genre, part in found.by_genre.items()
            ],
            by_confidence=[
                ConfidenceAccuracy(
                    min_confidence=place / len(bins),
                    max_confidence=(place + 1) / len(bins),
                    accuracy=Accuracy.of(part),
                )
                for place, part in enumerate(bins)
            ],
        )
