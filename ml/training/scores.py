"""Score predicted probabilities against known genres."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import xlogy
from sklearn import metrics

from ml.model.features import COMMON_WORDS, LEXICAL_PREFIX, THEMES
from ml.model.manifest import CoverageScore, GenreScore, ReliabilityBin, Scores, Totals
from ml.songs.contract import METADATA_COLUMNS, NUMBER_NAMES, Float32Array, Float64Array, IntArray

Predict = Callable[[Float32Array], Float64Array]
"""Returns probabilities, shape (n, genres), of features, shape (n, features)."""

COVERAGES = (1.0, 0.8, 0.6)
"""Shares of the most confident songs whose accuracy is reported."""

_BINS = 10
_RESAMPLES = 1_000
_SHUFFLES = 5


def score_model(  # noqa: PLR0913, PLR0917 - passed on
    predict: Predict,
    features: Float32Array,
    names: Sequence[str],
    labels: IntArray,
    genres: Sequence[str],
    groups: IntArray,
    *,
    split: str,
) -> Scores:
    """Score predictions from features; arguments as for `score` and `permutation_importance`."""
    scores = score(predict(features), labels, genres, groups, split=split)
    importance = permutation_importance(predict, features, labels, names)
    return scores.model_copy(update={"importance": importance})


def score(
    probabilities: Float64Array, labels: IntArray, genres: Sequence[str], groups: IntArray, *, split: str
) -> Scores:
    """Score predicted probabilities, shape (n, genres), of which rows sum to 1.

    `labels` and `groups`, shape (n,), are the indices of each song's true genre, and artist or pseudo-artist.
    `split` describes how the songs relate to the training songs.
    """
    positions = range(len(genres))
    predicted = probabilities.argmax(axis=1)
    precision, recall, _, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=positions, zero_division=0
    )
    return Scores(
        **totals(probabilities, labels).model_dump(),
        split=split,
        intervals=intervals(probabilities, labels, groups),
        per_genre={
            genre: GenreScore(recall=_rounded(recalled), precision=_rounded(precise), support=int(songs))
            for genre, recalled, precise, songs in zip(genres, recall, precision, support, strict=True)
        },
        coverage_accuracy=tuple(coverage_score(probabilities, labels, coverage) for coverage in COVERAGES),
        confusion=tuple(map(tuple, metrics.confusion_matrix(labels, predicted, labels=positions).tolist())),
        reliability=reliability(probabilities, labels),
    )


def totals(probabilities: Float64Array, labels: IntArray) -> Totals:
    """Compute the overall scores; arguments as for `score`.

    Macro-F1 ignores genres that are neither true nor predicted for any song.
    """
    values = map(_rounded, _totals(probabilities, labels))
    return Totals(**dict(zip(Totals.model_fields, values, strict=True)))


def intervals(
    probabilities: Float64Array, labels: IntArray, groups: IntArray
) -> dict[str, tuple[float, float]]:
    """Return the 95 % confidence interval of each total by the percentile bootstrap.

    Whole groups are resampled, because predictions for an artist's songs are correlated; arguments as for
    `score`.
    """
    random = np.random.default_rng(0)
    rows = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    drawn = (
        np.concatenate([rows[group] for group in random.integers(len(rows), size=len(rows))])
        for _ in range(_RESAMPLES)
    )
    scores = np.array([_totals(probabilities[songs], labels[songs]) for songs in drawn])
    low, high = (map(_rounded, bounds) for bounds in np.quantile(scores, (0.025, 0.975), axis=0))
    return dict(zip(Totals.model_fields, zip(low, high, strict=True), strict=True))


def coverage_score(probabilities: Float64Array, labels: IntArray, coverage: float) -> CoverageScore:
    """Score only a share of the songs, above 0 up to 1: the most confident ones, at least one."""
    confidence = probabilities.max(axis=1)
    kept = np.argsort(-confidence, kind="stable")[: max(1, round(coverage * len(labels)))]
    right = probabilities[kept].argmax(axis=1) == labels[kept]
    return CoverageScore(
        coverage=coverage, accuracy=_rounded(right.mean()), min_confidence=_rounded(confidence[kept[-1]])
    )


def log_loss(probabilities: Float64Array, labels: IntArray) -> float:
    """Return the mean of -ln(probability of the true genre).

    It equals scikit-learn's function, which takes milliseconds per call, bit for bit.
    """
    smallest = float(np.finfo(probabilities.dtype).eps)
    of_true_genre = probabilities[np.arange(len(labels)), labels].clip(smallest, 1 - smallest)
    return -float(xlogy(1.0, of_true_genre).mean())


def reliability(probabilities: Float64Array, labels: IntArray) -> tuple[ReliabilityBin, ...]:
    """Return confidence and accuracy in 10 bins of confidence, ascending."""
    counts, confidence, right = _binned(probabilities, labels)
    divisors = np.maximum(counts, 1)
    return tuple(
        ReliabilityBin(songs=int(songs), confidence=_rounded(mean), accuracy=_rounded(share))
        for songs, mean, share in zip(counts, confidence / divisors, right / divisors, strict=True)
    )


def feature_group(name: str) -> str:
    """Return the name of a feature's group."""
    if name in NUMBER_NAMES[: len(METADATA_COLUMNS)]:
        return "loudness, tempo, key …"
    if name in NUMBER_NAMES:
        return "audio statistics"
    if name.startswith(LEXICAL_PREFIX):
        return "lexical genre scores"
    if name.removeprefix("share_") in {*COMMON_WORDS, "not_ascii"}:
        return "lyric languages"
    return "lyric themes" if name.removeprefix("share_") in THEMES else "other lyric statistics"


def permutation_importance(
    predict: Predict, features: Float32Array, labels: IntArray, names: Sequence[str]
) -> dict[str, float]:
    """Return the increase of the log-loss when a feature group is shuffled, by group.

    Single features are not shuffled, because each of the 148 audio statistics is redundant. The increases, in
    nats per song, are means of five shuffles, largest first. `predict` must not be trained on these songs,
    whose features have shape (n, features) and these names.
    """
    random = np.random.default_rng(0)
    group_of = np.array([feature_group(name) for name in names])
    before = log_loss(predict(features), labels)
    rises = {}
    for group in dict.fromkeys(group_of.tolist()):
        losses = []
        for _ in range(_SHUFFLES):
            shuffled = features[random.permutation(len(features))]
            changed = np.where(group_of == group, shuffled, features)
            losses.append(log_loss(predict(changed), labels))
        rises[group] = _rounded(float(np.mean(losses)) - before)
    return dict(sorted(rises.items(), key=lambda item: -item[1]))


def _totals(probabilities: Float64Array, labels: IntArray) -> tuple[float, ...]:
    """Return `totals` for a bootstrap sample; scikit-learn's functions would take milliseconds for each."""
    genres = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    hits = np.bincount(labels[predicted == labels], minlength=genres)
    both = np.bincount(labels, minlength=genres) + np.bincount(predicted, minlength=genres)
    _, confidence, right = _binned(probabilities, labels)
    return (
        float((predicted == labels).mean()),
        float((2 * hits[both > 0] / both[both > 0]).mean()),
        log_loss(probabilities, labels),
        float(np.abs(right - confidence).sum() / len(labels)),  # calibration error
    )


def _binned(probabilities: Float64Array, labels: IntArray) -> tuple[IntArray, Float64Array, Float64Array]:
    """Return the number of songs, the sum of confidences and the correct predictions in each bin."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    return (
        np.bincount(bins, minlength=_BINS).astype(np.int64),
        np.bincount(bins, confidence, _BINS).astype(np.float64),
        np.bincount(bins, right, _BINS).astype(np.float64),
    )


def _rounded(value: float) -> float:
    """Round off digits that are insignificant and may differ between machines."""
    return round(float(value), 6)
