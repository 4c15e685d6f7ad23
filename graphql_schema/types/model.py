"""The model and its scores."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import strawberry

from ml.model.manifest import Manifest


@strawberry.type(description="The model's scores for one genre, on songs of artists it has not seen.")
class GenreScore:
    genre: str = strawberry.field(description="The name of the genre.")
    recall: float = strawberry.field(description="The recall, from 0 to 1.")
    precision: float = strawberry.field(description="The precision, from 0 to 1.")
    support: int = strawberry.field(description="The number of labelled songs scored.")


@strawberry.type(
    description="The model's accuracy on its most confident predictions, for songs of new artists."
)
class Coverage:
    coverage: float = strawberry.field(
        description="The share of songs covered, most confident first, from 0 to 1."
    )
    accuracy: float = strawberry.field(description="The accuracy on those songs.")
    min_confidence: float = strawberry.field(
        description="The lowest confidence among them. Used as `minConfidence`, it gives about this coverage."
    )


@strawberry.type(
    description=(
        "A model and its out-of-fold scores on the labelled songs. Grouped folds estimate performance on"
        " new artists; random folds share artists between training and scoring and are optimistic."
    )
)
class Model:
    version: str = strawberry.field(description="The version, derived from the model's content.")
    trained_at: datetime = strawberry.field(description="When the model was trained.")
    genres: list[str] = strawberry.field(description="The genres the model predicts, ordered by name.")
    accuracy: float = strawberry.field(description="The accuracy in random 4-fold cross-validation.")
    macro_f1: float = strawberry.field(
        name="macroF1", description="The macro-averaged F1 score in random 4-fold cross-validation."
    )
    grouped_accuracy: float = strawberry.field(
        description="The accuracy in artist-grouped 4-fold cross-validation."
    )
    grouped_macro_f1: float = strawberry.field(
        name="groupedMacroF1",
        description="The macro-averaged F1 score in artist-grouped 4-fold cross-validation.",
    )
    large_groups_accuracy: float | None = strawberry.field(
        description=(
            "The accuracy in folds of larger groups of similar songs, which are harder than new artists;"
            " null if the training songs' artists are known."
        )
    )
    large_groups_macro_f1: float | None = strawberry.field(
        name="largeGroupsMacroF1",
        description="The macro-averaged F1 score in folds of larger groups; null likewise.",
    )
    grouped_calibration_error: float = strawberry.field(
        description=(
            "The expected calibration error in grouped folds: the mean gap between confidence and accuracy."
        )
    )
    coverages: list[Coverage] = strawberry.field(
        description="The accuracy in grouped folds when only the most confident predictions are kept."
    )
    genre_scores: list[GenreScore] = strawberry.field(description="The scores by genre in grouped folds.")
    training_songs: int = strawberry.field(description="The number of labelled training songs.")
    features: list[str] = strawberry.field(description="The names of the features used.")

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Create it from a model's manifest."""
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
            coverages=[
                Coverage(coverage=of.coverage, accuracy=of.accuracy, min_confidence=of.min_confidence)
                for of in grouped.coverage_accuracy
            ],
            genre_scores=[
                GenreScore(genre=genre, recall=score.recall, precision=score.precision, support=score.support)
                for genre, score in sorted(grouped.per_genre.items())
            ],
            training_songs=sum(manifest.training_data.rows_per_genre.values()),
            features=list(manifest.features),
        )
