"""Scores, compared with values calculated by hand."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import sklearn.metrics

from ml.model.ensemble import softmax
from ml.model.features import LYRIC_STATISTICS
from ml.model.manifest import CoverageScore, ReliabilityBin
from ml.songs.contract import NUMBER_NAMES
from ml.training.scores import (
    coverage_score,
    feature_group,
    intervals,
    log_loss,
    permutation_importance,
    reliability,
    score,
    totals,
)


def test_scores_match_values_calculated_by_hand() -> None:
    # given: four songs; the second song of b is classified as a
    probabilities = np.array([[0.8, 0.2], [0.6, 0.4], [0.1, 0.9], [0.7, 0.3]])

    scores = score(
        probabilities, np.array([0, 0, 1, 1]), ("a", "b"), np.arange(len(probabilities)), split="by hand"
    )

    assert scores.split == "by hand"
    assert scores.accuracy == 0.75
    assert scores.macro_f1 == pytest.approx((2 * 2 / 5 + 2 * 1 / 3) / 2, abs=1e-6)
    assert scores.log_loss == pytest.approx(-math.log(0.8 * 0.6 * 0.9 * 0.3) / 4, abs=1e-6)
    assert scores.calibration_error == pytest.approx((0.2 + 0.4 + 0.1 + 0.7) / 4, abs=1e-6)
    assert scores.confusion == ((2, 0), (1, 1))
    assert (scores.per_genre["a"].recall, scores.per_genre["a"].precision) == (1, 0.666667)
    assert (scores.per_genre["b"].recall, scores.per_genre["b"].precision) == (0.5, 1)
    assert scores.per_genre["b"].support == 2


def test_macro_f1_ignores_genres_that_are_neither_true_nor_predicted() -> None:
    # given: a model of three genres, and songs of two of them
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])

    scores = score(
        probabilities, np.array([0, 1]), ("a", "b", "c"), np.arange(len(probabilities)), split="by hand"
    )

    assert scores.macro_f1 == 1
    assert (scores.per_genre["c"].recall, scores.per_genre["c"].support) == (0, 0)


def test_coverage_scores_the_most_confident_songs() -> None:
    # given: five songs; only the two least confident predictions are wrong
    confidence = np.array([0.9, 0.55, 0.8, 0.6, 0.7])
    probabilities = np.column_stack([confidence, 1 - confidence])
    labels = np.array([0, 1, 0, 1, 0])

    scores = score(probabilities, labels, ("a", "b"), np.arange(len(probabilities)), split="by hand")

    assert scores.coverage_accuracy == (
        CoverageScore(coverage=1.0, accuracy=0.6, min_confidence=0.55),
        CoverageScore(coverage=0.8, accuracy=0.75, min_confidence=0.6),
        CoverageScore(coverage=0.6, accuracy=1.0, min_confidence=0.7),
    )


def test_coverage_includes_at_least_one_song() -> None:
    scored = coverage_score(np.array([[0.9, 0.1]]), np.array([0]), 0.2)

    assert scored == CoverageScore(coverage=0.2, accuracy=1, min_confidence=0.9)


def test_reliability_bins_group_songs_by_confidence() -> None:
    probabilities = np.array([[0.72, 0.28], [0.78, 0.22], [0.95, 0.05], [1.0, 0.0]])

    bins = reliability(probabilities, np.array([0, 1, 0, 0]))

    assert len(bins) == 10
    assert bins[7] == ReliabilityBin(songs=2, confidence=0.75, accuracy=0.5)
    assert bins[9] == ReliabilityBin(songs=2, confidence=0.975, accuracy=1)
    assert [position for position, part in enumerate(bins) if part.songs] == [7, 9]


def test_intervals_contain_the_score_and_widen_with_correlation_within_artists() -> None:
    # given: 100 songs by 10 artists; all songs by 6 of the artists are classified correctly
    right = np.repeat(np.arange(10) < 6, 10)
    probabilities = np.column_stack([np.where(right, 0.7, 0.3), np.where(right, 0.3, 0.7)])
    labels = np.zeros(100, np.int64)

    by_artist = intervals(probabilities, labels, np.repeat(np.arange(10), 10))
    by_song = intervals(probabilities, labels, np.arange(100))

    for name, value in totals(probabilities, labels).model_dump().items():
        low, high = by_song[name]
        assert low <= value <= high, name
    assert by_song["accuracy"] == pytest.approx((0.5, 0.7), abs=0.02)
    assert by_artist["accuracy"] == pytest.approx((0.3, 0.9), abs=0.02)
    assert intervals(probabilities, labels, np.arange(100)) == by_song


def test_intervals_are_of_the_reported_scores() -> None:
    # given songs of one artist, so that every bootstrap sample holds each of them once
    random = np.random.default_rng(5)
    probabilities = random.dirichlet(np.ones(8), 50)
    labels = random.integers(8, size=50)
    # when
    bounds = intervals(probabilities, labels, np.zeros(50, dtype=np.int64))
    # then
    assert bounds == {name: (value, value) for name, value in totals(probabilities, labels)}


def test_log_loss_equals_that_of_scikit_learn_bit_for_bit() -> None:
    random = np.random.default_rng(0)
    for spread in (0.1, 1, 10, 1_000):  # the last one gives probabilities of 0 and 1
        probabilities = softmax(random.normal(scale=spread, size=(501, 8)))
        labels = random.integers(0, 8, 501)
        assert log_loss(probabilities, labels) == sklearn.metrics.log_loss(
            labels, probabilities, labels=range(8)
        )


def test_totals_equal_those_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    probabilities, labels = random.dirichlet(np.ones(8), 501), random.integers(0, 8, 501)

    scores = totals(probabilities, labels)

    predicted = probabilities.argmax(axis=1)
    assert scores.accuracy == round(sklearn.metrics.accuracy_score(labels, predicted), 6)
    assert scores.macro_f1 == round(sklearn.metrics.f1_score(labels, predicted, average="macro"), 6)
    assert scores.log_loss == round(sklearn.metrics.log_loss(labels, probabilities, labels=range(8)), 6)


def test_each_feature_belongs_to_a_group() -> None:
    groups = {name: feature_group(name) for name in (*NUMBER_NAMES, *LYRIC_STATISTICS, "lyrics_pop")}

    assert groups["vect_1"] == "audio statistics"
    assert groups["tempo"] == "loudness, tempo, key …"
    assert groups["share_spanish"] == groups["share_not_ascii"] == "lyric languages"
    assert groups["share_love"] == "lyric themes"
    assert groups["tag_count"] == groups["share_rare"] == "other lyric statistics"
    assert groups["lyrics_pop"] == "lexical genre scores"
    assert len(set(groups.values())) == 6


def predict(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return a probability of 0.9 for the genre whose index is the first feature."""
    second = np.where(features[:, 0] == 1, 0.9, 0.1)
    return np.column_stack([1 - second, second])


def test_importance_is_the_increase_of_log_loss_when_a_group_is_shuffled() -> None:
    # given: tempo and key determine the genre, an audio statistic is ignored
    labels = np.arange(1_000) % 2
    features = np.column_stack([labels, labels, np.zeros(1_000)]).astype(np.float32)

    importance = permutation_importance(predict, features, labels, ("tempo", "key", "vect_1"))

    # After shuffling, half of the songs get the wrong genre.
    expected = (math.log(0.9) - math.log(0.1)) / 2
    assert list(importance) == ["loudness, tempo, key …", "audio statistics"]
    assert importance["loudness, tempo, key …"] == pytest.approx(expected, rel=0.05)
    assert importance["audio statistics"] == 0
    assert permutation_importance(predict, features, labels, ("tempo", "key", "vect_1")) == importance
