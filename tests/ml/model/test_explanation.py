"""Explanations of predictions by the shipped model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from ml.model.ensemble import Ensemble
from ml.model.explanation import Explanations, explain, feature_label
from ml.model.features import LYRIC_STATISTICS
from ml.songs.contract import NUMBER_NAMES, Songs
from tests.support.shipped_model import changed
from tests.support.songs import songs

SPANISH = "que, de, y, el, mi, en, tu, te, amor, con, por, corazón"


def varied_songs(n: int, ensemble: Ensemble) -> Songs:
    """Return songs with all kinds of words; the model knows none of the first song's."""
    made = songs(n, seed=3)
    random = np.random.default_rng(4)
    words = ensemble.extractor.vocabulary.words[:1500]
    tags = [", ".join(random.choice(words, random.integers(1, 120))) for _ in range(n)]
    return Songs(made.track_ids, made.titles, ["zzzz", *tags[1:]], made.numbers)


def predicted(ensemble: Ensemble, some: Songs) -> npt.NDArray[np.int64]:
    return np.asarray(ensemble.classify(some).probabilities.argmax(axis=1), np.int64)


def explained(ensemble: Ensemble, some: Songs) -> Explanations:
    return explain(ensemble, some, [ensemble.genres[genre] for genre in predicted(ensemble, some)])


def test_contributions_and_base_value_sum_to_the_centred_log_odds(ensemble: Ensemble) -> None:
    # given
    features = ensemble.extractor.transform(varied_songs(60, ensemble))
    logits = ensemble.classifier.logits(features) / ensemble.classifier.temperature
    for genre in range(8):
        # when
        found = ensemble.classifier.contributions(features, np.full(60, genre))
        # then
        expected = logits[:, genre] - logits.mean(axis=1)
        np.testing.assert_allclose(found.sum(axis=1), expected, rtol=0, atol=1e-9)


def test_a_groups_contribution_is_the_sum_of_its_features(ensemble: Ensemble) -> None:
    # given
    some = varied_songs(20, ensemble)
    genres = predicted(ensemble, some)
    every = ensemble.classifier.contributions(ensemble.extractor.transform(some), genres)[:, :-1]
    # when
    found = explained(ensemble, some)
    # then
    np.testing.assert_allclose(found.contributions.sum(axis=1), every.sum(axis=1), rtol=0, atol=1e-9)
    for group, columns in {
        "timbre_means": slice(6, 18),
        "timbre_variances": slice(18, 30),
        "spectrum": slice(30, 154),
    }.items():
        summed = found.contributions[:, found.features.index(group)]
        np.testing.assert_allclose(summed, every[:, columns].sum(axis=1), rtol=0, atol=1e-12)
        assert np.isnan(found.values[:, found.features.index(group)]).all()


def test_the_strongest_contributions_come_first_with_the_songs_values(ensemble: Ensemble) -> None:
    # given
    some = varied_songs(5, ensemble)
    explanations = explained(ensemble, some)
    # when
    reasons = explanations.strongest(3, 10)
    # then
    sizes = sorted(np.abs(explanations.contributions[3]), reverse=True)
    assert [abs(reason.contribution) for reason in reasons] == sizes[:10]
    assert len({reason.contribution > 0 for reason in explanations.strongest(3, 100)}) == 2
    genre = explanations.genres[3]
    for reason in reasons:
        assert reason.label == feature_label(reason.feature)
        assert reason.text.endswith(f": {'for' if reason.contribution >= 0 else 'against'} {genre}")
        if reason.feature in ensemble.extractor.names:
            column = ensemble.extractor.names.index(reason.feature)
            assert reason.value == float(ensemble.extractor.transform(some)[3, column])
    assert explanations.strongest(3, 0) == []


def test_an_explanation_does_not_depend_on_the_other_songs(ensemble: Ensemble) -> None:
    some = varied_songs(30, ensemble)
    single = explained(ensemble, some.take([7]))
    assert single.strongest(0, 300) == explained(ensemble, some).strongest(7, 300)


def text_of(ensemble: Ensemble, some: Songs, genre: str, feature: str) -> str:
    """Return the description of a feature of the first song."""
    found = explain(ensemble, some, [genre] * len(some)).strongest(0, 300)
    return next(reason.text for reason in found if reason.feature == feature)


def test_language_is_explained_in_words(ensemble: Ensemble) -> None:
    spanish, english = changed(songs(1), SPANISH), changed(songs(1), "i, the, you, to, and, with")
    assert text_of(ensemble, spanish, "pop", "share_spanish") == "many Spanish words: for pop"
    assert text_of(ensemble, english, "pop", "share_spanish") == "no Spanish words: against pop"
    assert text_of(ensemble, english, "pop", "share_german").startswith("no German words: ")


def test_missing_values_are_described_as_unknown(ensemble: Ensemble) -> None:
    made = songs(1)
    numbers = made.numbers.copy()
    numbers[0, NUMBER_NAMES.index("loudness")] = np.nan
    numbers[0, NUMBER_NAMES.index("key")] = 3
    numbers[0, NUMBER_NAMES.index("mode")] = 0
    some = Songs(made.track_ids, made.titles, ["zzzz"], numbers)
    texts = {
        feature: text_of(ensemble, some, "metal", feature).partition(": ")[0]
        for feature in ("loudness", "key", "mode", "share_death", "spectrum")
    }
    assert texts == {
        "loudness": "loudness unknown",
        "key": "key of E flat",
        "mode": "minor",
        "share_death": "words of death and darkness unknown",
        "spectrum": "spectrum, MFCC and chroma",
    }


def test_every_feature_has_a_unique_label(ensemble: Ensemble) -> None:
    labels = [feature_label(name) for name in explained(ensemble, songs(1)).features]
    assert len(set(labels)) == len(labels)
    assert not [label for label in labels if "_" in label or label.startswith(("share", "lyrics "))]
    assert {name for name in LYRIC_STATISTICS if "_" in feature_label(name)} == set()


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("loudness", "loudness"),
        ("time_signature", "time signature"),
        ("timbre_means", "average timbre"),
        ("share_spanish", "Spanish words"),
        ("lyrics_metal", "words typical of Metal lyrics"),
        ("lyrics_new_age", "words typical of New Age lyrics"),
        ("lyrics_rnb", "words typical of R&B lyrics"),
    ],
)
def test_labels_are_readable(name: str, label: str) -> None:
    assert feature_label(name) == label
