"""Scores of predictions, stored in a model's manifest."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable part of a manifest, without other fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class GenreScore(Frozen):
    """Scores of one genre; `support` is its number of songs. Precision is 0 without predictions."""

    recall: float
    precision: float
    support: int


class CoverageScore(Frozen):
    """The accuracy on a share of the songs, `coverage`: those with at least `min_confidence`."""

    coverage: float
    accuracy: float
    min_confidence: float


class ReliabilityBin(Frozen):
    """The number of songs in a range of confidence, and their mean confidence and accuracy, or 0."""

    songs: int
    confidence: float
    accuracy: float


class Totals(Frozen):
    """Scores over all songs of a split.

    Attributes:
        accuracy: share of songs whose most probable genre is correct.
        macro_f1: F1 of each genre, averaged without weights.
        log_loss: mean of -ln(probability of the true genre).
        calibration_error: expected calibration error with 10 bins (Guo et al., ICML 2017).
    """

    accuracy: float
    macro_f1: float
    log_loss: float
    calibration_error: float


class Scores(Totals):
    """Scores of predictions for labelled songs.

    Attributes:
        split: description of how the scored songs relate to the training songs.
        intervals: 95 % confidence interval of each of the `Totals`, from resampling whole artists.
        per_genre: by genre.
        coverage_accuracy: for the most confident 100, 80 and 60 % of songs.
        confusion: rows are true genres, columns predicted ones, both in the order of `per_genre`.
        reliability: in 10 bins of confidence.
        importance: increase of the log-loss when a feature group is shuffled among songs, by group.
    """

    split: str
    intervals: dict[str, tuple[float, float]]
    per_genre: dict[str, GenreScore]
    coverage_accuracy: tuple[CoverageScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    reliability: tuple[ReliabilityBin, ...]
    importance: dict[str, float] = {}
