"""The model, its scores, and its accuracy on verified songs."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import strawberry
from strawberry import field

from app.catalogue import verification
from ml.model.manifest import Manifest


@strawberry.type(description="The model's scores for one genre, on songs of artists it has not seen.")
class GenreScore:
    genre: str = field(description="The name of the genre.")
    recall: float = field(description="The recall, from 0 to 1.")
    precision: float = field(description="The precision, from 0 to 1.")
    support: int = field(description="The number of labelled songs scored.")


@strawberry.type(
    description="The model's accuracy on its most confident predictions, for songs of new artists."
)
class Coverage:
    coverage: float = field(description="The share of songs covered, most confident first, from 0 to 1.")
    accuracy: float = field(description="The accuracy on those songs.")
    min_confidence: float = field(
        description="The lowest confidence among them. Used as `minConfidence`, it gives about this coverage."
    )


@strawberry.type(
    description=(
        "A model and its out-of-fold scores on the labelled songs. Grouped folds estimate performance on"
        " new artists; random folds share artists between training and scoring and are optimistic."
    )
)
class Model:
    version: str = field(description="The version, derived from the model's content.")
    trained_at: datetime = field(description="When the model was trained.")
    genres: list[str] = field(description="The genres the model predicts, ordered by name.")
    accuracy: float = field(description="The accuracy in random 4-fold cross-validation.")
    macro_f1: float = field(description="The macro-averaged F1 score in random 4-fold cross-validation.")
    grouped_accuracy: float = field(description="The accuracy in artist-grouped 4-fold cross-validation.")
    grouped_macro_f1: float = field(
        description="The macro-averaged F1 score in artist-grouped 4-fold cross-validation."
    )
    large_groups_accuracy: float | None = field(
        description=(
            "The accuracy in folds of larger groups of similar songs, which are harder than new artists;"
            " null if the training songs' artists are known."
        )
    )
    large_groups_macro_f1: float | None = field(
        description="The macro-averaged F1 score in folds of larger groups; null likewise."
    )
    grouped_calibration_error: float = field(
        description=(
            "The expected calibration error in grouped folds: the mean gap between confidence and accuracy."
        )
    )
    coverages: list[Coverage] = field(
        description="The accuracy in grouped folds when only the most confident predictions are kept."
    )
    genre_scores: list[GenreScore] = field(description="The scores by genre in grouped folds.")
    training_songs: int = field(description="The number of labelled training songs.")
    features: list[str] = field(description="The names of the features used.")

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        random, grouped = manifest.metrics.random_folds, manifest.metrics.grouped_folds
        large_groups = manifest.metrics.large_groups
        return cls(
            version=manifest.model_version,
            trained_at=manifest.created_at,
            genres=list(manifest.genres),
            accuracy=random.accuracy,
            macro_f1=random.macro_f1,
            grouped_accuracy=grouped.accuracy,
            grouped_macro_f1=grouped.macro_f1,
            large_groups_accuracy=large_groups.accuracy if large_groups else None,
            large_groups_macro_f1=large_groups.macro_f1 if large_groups else None,
            grouped_calibration_error=grouped.calibration_error,
            coverages=[Coverage(**dict(score)) for score in grouped.coverage_accuracy],
            genre_scores=[
                GenreScore(genre=genre, **dict(score)) for genre, score in sorted(grouped.per_genre.items())
            ],
            training_songs=sum(manifest.training_data.rows_per_genre.values()),
            features=list(manifest.features),
        )


@strawberry.type(description="The accuracy of the predicted genres on a set of verified songs.")
class Accuracy:
    songs: int = field(description="The number of songs.")
    correct: int = field(description="The number of songs whose predicted genre is the verified one.")
    share: float | None = field(
        description="`correct` divided by `songs`, from 0 to 1. Null if there are no songs."
    )
    lower: float = field(description="The lower bound of the 95 % confidence interval (Wilson) of the share.")
    upper: float = field(description="The upper bound of the 95 % confidence interval of the share.")

    @classmethod
    def of(cls, counts: verification.Accuracy) -> Self:
        lower, upper = counts.interval
        return cls(songs=counts.songs, correct=counts.correct, share=counts.share, lower=lower, upper=upper)


@strawberry.type(description="The accuracy on songs of one genre.")
class GenreAccuracy:
    genre: str = field(description="The name of the verified genre.")
    accuracy: Accuracy = field(description="The accuracy on the songs of this genre.")


@strawberry.type(description="The accuracy on songs in a range of confidence.")
class ConfidenceAccuracy:
    min_confidence: float = field(description="The lower bound of the range, inclusive.")
    max_confidence: float = field(
        description="The upper bound of the range, exclusive except for the last range."
    )
    accuracy: Accuracy = field(description="The accuracy on the songs in this range.")


@strawberry.type(
    description=(
        "The current model's accuracy on verified songs that it was not trained on. If the least confident "
        "songs are verified first, `overall` is lower than the accuracy on the whole catalogue; "
        "`byConfidence` is not affected."
    )
)
class AccuracyOnVerified:
    model_version: str = field(description="The version of the current model. Only its predictions count.")
    songs_verified: int = field(
        description="The number of all verified songs, including those that do not count."
    )
    overall: Accuracy = field(description="The accuracy on all songs that count.")
    by_genre: list[GenreAccuracy] = field(description="The accuracy by verified genre, ordered by name.")
    by_confidence: list[ConfidenceAccuracy] = field(
        description="The accuracy by confidence, in equal ranges from 0 to 1."
    )

    @classmethod
    def of(cls, verified: verification.VerifiedAccuracy) -> Self:
        ranges = len(verified.by_confidence)
        return cls(
            model_version=verified.model_version,
            songs_verified=verified.songs_verified,
            overall=Accuracy.of(verified.overall),
            by_genre=[
                GenreAccuracy(genre=genre, accuracy=Accuracy.of(counts))
                for genre, counts in verified.by_genre.items()
            ],
            by_confidence=[
                ConfidenceAccuracy(
                    min_confidence=place / ranges,
                    max_confidence=(place + 1) / ranges,
                    accuracy=Accuracy.of(counts),
                )
                for place, counts in enumerate(verified.by_confidence)
            ],
        )
