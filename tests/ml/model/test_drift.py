"""Input drift: counting songs outside the training ranges."""

from __future__ import annotations

import numpy as np
import pytest

from ml.model.drift import TrainingRanges, by_group
from ml.model.ensemble import Ensemble
from ml.songs.contract import NUMBER_NAMES, Songs
from tests.support.shipped_model import JAMAICAN, changed

AUDIO = [position for position, name in enumerate(NUMBER_NAMES) if name.startswith("vect_")]


def inside(ensemble: Ensemble, n: int = 3) -> Songs:
    """Return songs in the middle of each numeric range, with frequent words."""
    ranges = ensemble.training_ranges
    middle = (ranges.lowest + ranges.highest)[: len(NUMBER_NAMES)] / 2
    return Songs(
        np.arange(1, n + 1), ["A song"] * n, [JAMAICAN] * n, np.tile(middle, (n, 1)).astype(np.float32)
    )


def outside(ensemble: Ensemble, songs: Songs) -> dict[str, int]:
    return by_group(ensemble.classify(songs).songs_outside)


def test_each_feature_of_the_shipped_model_has_a_range(ensemble: Ensemble) -> None:
    ranges = ensemble.training_ranges
    assert np.isfinite(ranges.lowest).all()
    assert np.isfinite(ranges.highest).all()
    assert (ranges.lowest <= ranges.highest).all()


def test_songs_within_all_ranges_are_not_counted(ensemble: Ensemble) -> None:
    assert outside(ensemble, inside(ensemble)) == {"METADATA": 0, "AUDIO": 0, "LYRICS": 0}


@pytest.mark.parametrize(("columns", "songs"), [(7, 0), (8, 3), (148, 3)])
def test_a_song_is_outside_if_more_than_5_percent_of_a_groups_values_are(
    columns: int, songs: int, ensemble: Ensemble
) -> None:
    # given
    numbers = {NUMBER_NAMES[position]: 1e9 for position in AUDIO[:columns]}
    # then
    assert outside(ensemble, changed(inside(ensemble), None, **numbers))["AUDIO"] == songs


def test_both_ends_of_a_range_are_inside(ensemble: Ensemble) -> None:
    # given
    ranges = ensemble.training_ranges
    loudness = NUMBER_NAMES.index("loudness")
    for end, beyond in ((ranges.lowest[loudness], -np.inf), (ranges.highest[loudness], np.inf)):
        # then
        assert outside(ensemble, changed(inside(ensemble), loudness=end))["METADATA"] == 0
        further = float(np.nextafter(np.float32(end), np.float32(beyond)))
        assert outside(ensemble, changed(inside(ensemble), loudness=further))["METADATA"] == 3


def test_a_missing_value_is_not_outside(ensemble: Ensemble) -> None:
    # given
    features = np.full((2, len(ensemble.extractor.names)), np.nan, np.float32)
    # then
    assert ensemble.training_ranges.songs_outside(features).tolist() == [0, 0, 0]


@pytest.mark.parametrize(("values", "songs"), [(2, 0), (3, 1)])
def test_lyrics_need_three_values_outside(values: int, songs: int, ensemble: Ensemble) -> None:
    # given
    ranges = ensemble.training_ranges
    features = ((ranges.lowest + ranges.highest) / 2)[None, :].astype(np.float32)
    features[0, -values:] = ranges.highest[-values:] + 1
    # then
    assert ranges.songs_outside(features).tolist() == [0, 0, songs]


def test_lyrics_without_a_known_word_are_outside(ensemble: Ensemble) -> None:
    assert outside(ensemble, changed(inside(ensemble), tags="qqq, zzz"))["LYRICS"] == 3


def test_counts_of_threads_and_of_empty_batches_add_up(ensemble: Ensemble) -> None:
    # given
    songs = changed(inside(ensemble, 500), tempo=990)
    # then
    assert ensemble.classify(songs, threads=2).songs_outside.tolist() == [500, 0, 0]
    assert ensemble.classify(songs.take([])).songs_outside.tolist() == [0, 0, 0]


def test_a_feature_without_values_has_no_limits() -> None:
    features = np.array([[1, np.nan, np.nan], [3, 5, np.nan]], np.float32)

    ranges = TrainingRanges.of(features)

    assert ranges.lowest.tolist() == [1, 5, -np.inf]
    assert ranges.highest.tolist() == [3, 5, np.inf]
