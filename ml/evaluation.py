"""How well predicted probabilities fit known genres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

_CALIBRATION_BINS = 10

COVERAGES = (1.0, 0.8, 0.6)
"""Shares of songs, the most confident ones, of which the accuracy is told."""


class GenreScore(BaseModel):
    """How well one genre is found.

    Attributes:
        recall: share of the genre's songs that were found, 0 to 1.
        precision: share of the songs given this genre that are of it, 0 to 1; 0 if none was.
        support: songs of the genre.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recall: float
    precision: float
    support: int


class CoverageScore(BaseModel):
    """How good a model is with the songs it is most confident of.

    Attributes:
        coverage: share of songs that get an answer, the most confident ones, 0 to 1.
        accuracy: share of right answers among them.
        min_confidence: the least confidence among them: as a threshold it gives this coverage.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    coverage: float
    accuracy: float
    min_confidence: float


class Scores(BaseModel):
    """Scores of predictions for songs whose genres are known.

    Attributes:
        split: what the scored songs had to do with those trained on, in words.
        accuracy: share of songs whose most probable genre is theirs.
        macro_f1: F1 of each genre, averaged without weights.
        log_loss: mean of -ln(probability of the true genre).
        calibration_error: expected calibration error in 10 bins of confidence: by how much confidence
            and share of right answers differ (Guo et al., ICML 2017).
        per_genre: by name of genre.
        coverage_accuracy: for each share of `COVERAGES`; empty in models of before there was one.
        confusion: rows are true genres, columns predicted ones, both in the order of `per_genre`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: str
    accuracy: float
    macro_f1: float
    log_loss: float
    calibration_error: float
    per_genre: dict[str, GenreScore]
    confusion: tuple[tuple[int, ...], ...]
    coverage_accuracy: tuple[CoverageScore, ...] = ()


class ReliabilityBin(BaseModel):
    """Songs of one range of confidence.

    Attributes:
        songs: how many.
        confidence: their mean confidence; 0 without songs.
        accuracy: share of right answers among them; 0 without songs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    songs: int
    confidence: float
    accuracy: float


def score(
    probabilities: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    genres: Sequence[str],
    *,
    split: str,
) -> Scores:
    """Score predictions.

    Args:
        probabilities: shape (n, genres), rows sum to 1.
        labels: shape (n,), the position of each song's true genre.
        genres: names of genres.
        split: what the songs had to do with those trained on, in words.
    """
    predicted = probabilities.argmax(axis=1)
    confusion = np.zeros((len(genres), len(genres)), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    hits, support, given = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    # A genre that no song has and none was given is not asked for.
    f1 = (2 * hits / np.maximum(support + given, 1))[support + given > 0]
    recall, precision = hits / np.maximum(support, 1), hits / np.maximum(given, 1)
    return Scores(
        split=split,
        accuracy=_rounded(hits.sum() / len(labels)),
        macro_f1=_rounded(f1.mean()),
        log_loss=_rounded(log_loss(probabilities, labels)),
        calibration_error=_rounded(calibration_error(probabilities, labels)),
        per_genre={
            genre: GenreScore(
                recall=_rounded(recall[position]),
                precision=_rounded(precision[position]),
                support=int(support[position]),
            )
            for position, genre in enumerate(genres)
        },
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        coverage_accuracy=tuple(coverage_score(probabilities, labels, coverage) for coverage in COVERAGES),
    )


def coverage_score(
    probabilities: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], coverage: float
) -> CoverageScore:
    """Score the most confident songs alone.

    Args:
        probabilities: shape (n, genres), rows sum to 1.
        labels: shape (n,), the position of each song's true genre.
        coverage: share of songs that are scored, over 0 up to 1; at least one is.
    """
    confidence = probabilities.max(axis=1)
    kept = np.argsort(-confidence, kind="stable")[: max(1, round(coverage * len(labels)))]
    right = probabilities[kept].argmax(axis=1) == labels[kept]
    return CoverageScore(
        coverage=coverage,
        accuracy=_rounded(right.mean()),
        min_confidence=_rounded(confidence[kept[-1]]),
    )


def log_loss(probabilities: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> float:
    """Return the mean of -ln(probability of the true genre); probabilities below 1e-15 count as 1e-15."""
    of_truth = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(of_truth, 1e-15)).mean())


def calibration_error(probabilities: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> float:
    """Return the expected calibration error: the mean gap between confidence and share of right answers."""
    confidence, right, bins = _binned(probabilities, labels)
    gaps = np.bincount(bins, right - confidence, _CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(labels))


def reliability(
    probabilities: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]
) -> tuple[ReliabilityBin, ...]:
    """Return confidence and share of right answers in the 10 bins of the calibration error, ascending."""
    confidence, right, bins = _binned(probabilities, labels)
    counts = np.bincount(bins, minlength=_CALIBRATION_BINS)
    divisors = np.maximum(counts, 1)
    return tuple(
        ReliabilityBin(songs=int(count), confidence=_rounded(mean_confidence), accuracy=_rounded(accuracy))
        for count, mean_confidence, accuracy in zip(
            counts.tolist(),
            np.bincount(bins, confidence, _CALIBRATION_BINS) / divisors,
            np.bincount(bins, right, _CALIBRATION_BINS) / divisors,
            strict=True,
        )
    )


def _binned(
    probabilities: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Return each song's confidence, whether its most probable genre is right, and its bin, each (n,)."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * _CALIBRATION_BINS).astype(np.int64), _CALIBRATION_BINS - 1)
    return confidence, right, bins


def _rounded(value: float) -> float:
    """Cut digits that say nothing and may differ between machines."""
    return round(float(value), 6)
