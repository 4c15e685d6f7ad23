"""The model and what its scores mean."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import strawberry

from ml.artifact import Manifest


@strawberry.type(description="How well the model finds one genre among songs of artists it has not seen.")
class GenreScore:
    genre: str = strawberry.field(description="Name of the genre.")
    recall: float = strawberry.field(description="Share of the genre's songs that it finds, from 0 to 1.")
    precision: float = strawberry.field(
        description="Share of the songs given this genre that are of it, from 0 to 1."
    )
    support: int = strawberry.field(description="How many labelled songs of the genre were scored.")


@strawberry.type(
    description="How good the model is with the songs of new artists that it is most confident of."
)
class Coverage:
    coverage: float = strawberry.field(description="Share of songs, the most confident ones, from 0 to 1.")
    accuracy: float = strawberry.field(description="Share of right answers among them.")
    min_confidence: float = strawberry.field(
        description="The least confidence among them; as `minConfidence` it gives about this coverage."
    )


@strawberry.type(
    description=(
        "A model and its out-of-fold scores on the labelled songs. Random folds share artists between "
        "training and scoring and flatter the model; grouped folds do not and tell what to expect of "
        "new artists."
    )
)
class Model:
    version: str = strawberry.field(description="Version, made from the model's content.")
    trained_at: datetime = strawberry.field(description="When it was trained.")
    genres: list[str] = strawberry.field(description="The genres it tells apart, by name.")
    accuracy: float = strawberry.field(description="Accuracy in random 4-fold cross-validation.")
    macro_f1: float = strawberry.field(
        name="macroF1", description="Macro-averaged F1 in random 4-fold cross-validation."
    )
    grouped_accuracy: float = strawberry.field(
        description="Accuracy in 4-fold cross-validation grouped by artist."
    )
    grouped_macro_f1: float = strawberry.field(
        name="groupedMacroF1", description="Macro-averaged F1 in 4-fold cross-validation grouped by artist."
    )
    grouped_calibration_error: float = strawberry.field(
        description="How far confidence and share of right answers differ in grouped folds, on average."
    )
    coverages: list[Coverage] = strawberry.field(
        description="Accuracy in grouped folds when only the most confident songs are answered."
    )
    genre_scores: list[GenreScore] = strawberry.field(description="Scores by genre, in grouped folds.")
    training_songs: int = strawberry.field(description="How many labelled songs it was trained on.")
    features: list[str] = strawberry.field(description="Names of the features it looks at.")

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Make it from a model's manifest."""
        random, grouped = manifest.metrics.random_folds, manifest.metrics.grouped_folds
        return cls(
            version=manifest.model_version,
            trained_at=manifest.created_at,
            genres=list(manifest.genres),
            accuracy=random.accuracy,
            macro_f1=random.macro_f1,
            grouped_accuracy=grouped.accuracy,
            grouped_macro_f1=grouped.macro_f1,
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
