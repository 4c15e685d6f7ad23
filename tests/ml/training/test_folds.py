"""Random and grouped folds, and pseudo-artists."""

from __future__ import annotations

import numpy as np
import pytest

from ml.model.artifact import FOLDS
from ml.songs.contract import Songs
from ml.training.folds import Fold, artist_groups, grouped_folds, pseudo_artists, random_folds
from tests.support.songs import songs

LABELS = np.repeat([0, 1, 2], 40)


def assert_each_song_is_scored_once(folds: list[Fold], n: int) -> None:
    assert len(folds) == FOLDS
    scored = np.concatenate([scored for _, scored in folds])
    assert sorted(scored.tolist()) == list(range(n))
    for trained, held_out in folds:
        assert sorted([*trained.tolist(), *held_out.tolist()]) == list(range(n))


def test_no_group_is_on_both_sides_of_a_grouped_fold() -> None:
    groups = np.arange(120) // 6

    folds = grouped_folds(LABELS, groups, seed=0)

    assert_each_song_is_scored_once(folds, 120)
    for trained, scored in folds:
        assert not set(groups[trained]) & set(groups[scored])


def test_each_random_fold_has_a_quarter_of_each_genre() -> None:
    folds = random_folds(LABELS, seed=0)

    assert_each_song_is_scored_once(folds, 120)
    for _, scored in folds:
        assert np.bincount(LABELS[scored]).tolist() == [10, 10, 10]


def test_random_folds_accept_genres_with_fewer_than_four_songs() -> None:
    folds = random_folds(np.array([0] * 9 + [1]), seed=0)

    assert_each_song_is_scored_once(folds, 10)
    assert sorted(len(scored) for _, scored in folds) == [2, 2, 3, 3]


@pytest.mark.parametrize("kind", ["random", "grouped"])
def test_folds_depend_only_on_the_seed(kind: str) -> None:
    groups = np.arange(120) // 6

    def scored_songs(seed: int) -> list[list[int]]:
        folds = (
            random_folds(LABELS, seed=seed) if kind == "random" else grouped_folds(LABELS, groups, seed=seed)
        )
        return [scored.tolist() for _, scored in folds]

    assert scored_songs(0) == scored_songs(0)
    assert scored_songs(0) != scored_songs(1)


def test_pseudo_artists_have_one_genre_and_the_requested_mean_size() -> None:
    groups = pseudo_artists(songs(120), LABELS, size=10)

    assert len(set(groups.tolist())) == 12
    assert all(len(set(LABELS[groups == group].tolist())) == 1 for group in set(groups.tolist()))


def test_similar_songs_are_one_pseudo_artist() -> None:
    # given: four artists with ten songs each in two genres, each artist with its own sound and words
    acts = np.repeat(np.arange(4), 10)
    made = songs(40)
    sounds = songs(4, seed=5).numbers
    noise = np.random.default_rng(0).normal(size=made.numbers.shape)
    numbers = (sounds[acts] + noise).astype(np.float32)
    tags = [("love, kiss", "blood, fire", "road, river", "beer, barn")[act] for act in acts]

    groups = pseudo_artists(Songs(made.track_ids, made.titles, tags, numbers), acts // 2, size=10)

    assert len(set(groups.tolist())) == 4
    assert all(len(set(groups[acts == act].tolist())) == 1 for act in range(4))


def test_songs_with_the_same_words_are_grouped_by_sound() -> None:
    made = songs(20)
    low, high = made.numbers[:1].repeat(10, axis=0), made.numbers[1:2].repeat(10, axis=0)
    alike = Songs(made.track_ids, made.titles, ["love"] * 20, np.vstack([low, high]))

    groups = pseudo_artists(alike, np.zeros(20, np.int64), size=10)

    assert groups[:10].tolist() == [groups[0]] * 10
    assert groups[10:].tolist() == [1 - groups[0]] * 10


def test_pseudo_artists_are_deterministic() -> None:
    np.testing.assert_array_equal(pseudo_artists(songs(120), LABELS), pseudo_artists(songs(120), LABELS))


def test_each_artist_and_each_song_without_an_artist_is_a_group() -> None:
    groups = artist_groups(["Band", "", "band", " Band ", ""])

    assert groups[0] == groups[3]
    assert len(set(groups.tolist())) == 4
