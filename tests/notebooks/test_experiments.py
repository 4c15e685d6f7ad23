"""Scoring changes to the recipe."""

from __future__ import annotations

import numpy as np
import pytest

from ml.training.parameters import Parameters
from ml.training.recipe import Examples, train_booster
from notebooks.experiments import ROOT, Change, Outcome, Split, compare, interval, mislabelled


def outcome(logits: list[list[float]], labels: list[int], groups: list[int]) -> dict[str, Outcome]:
    split = Split("by artist", False, np.array(labels), np.array(groups), ())
    return {"by artist": Outcome.of(split, np.array([logits], float))}


def test_the_interval_is_that_of_groups_not_of_songs() -> None:
    songs = np.repeat([1.0, 0.0], 50)

    error_of_songs, *_ = interval(songs, np.arange(100))
    error_of_two_artists, low, high = interval(songs, np.repeat([0, 1], 50))

    assert error_of_songs == pytest.approx(0.05, abs=0.005)
    assert error_of_two_artists == pytest.approx(0.5 / 2**0.5, abs=0.02)
    assert (low, high) == (0.0, 1.0)


def test_a_gain_is_over_the_shipped_recipe_on_the_same_songs() -> None:
    labels, groups = [0, 0, 1, 1], [0, 1, 2, 3]
    right, wrong = [[2.0, 0.0], [2.0, 0.0], [0.0, 2.0], [0.0, 2.0]], [[0.0, 1.0]] * 4

    gains = compare(
        {"shipped": outcome(wrong, labels, groups), "better": outcome(right, labels, groups)},
        "shipped",
        ["by artist"],
    )

    assert gains["change"].tolist() == ["better"]
    assert gains["accuracy gain"].tolist() == [0.5]
    assert gains["accuracy low"].tolist() == [0.0]
    assert gains["log-loss gain"].iloc[0] > 0.5


def test_a_song_is_mislabelled_if_another_genre_is_as_likely_as_in_its_own_songs() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.9, 0.1]])
    labels = np.array([0, 0, 1, 1])

    assert mislabelled(probabilities, labels).tolist() == [0, 0, 1, 0]


def test_without_a_change_the_recipe_is_unchanged_bit_for_bit() -> None:
    random = np.random.default_rng(0)
    numbers = random.normal(size=(200, 6)).astype(np.float32)
    numbers[80:, 4:] = np.nan
    genres = random.integers(3, size=200)
    examples = Examples(
        tuple("abcdef"), ("folk", "pop", "punk"), numbers[:80], genres[:80], numbers[80:], genres[80:]
    )
    parameters = Parameters(rounds=5)

    predict = Change("none").train(examples, np.arange(120), parameters, seed=3)

    booster = train_booster(examples, parameters, seed=3, weights=ROOT(examples, parameters))
    assert np.array_equal(predict(numbers), np.asarray(booster.predict(numbers, raw_score=True)))
