"""Why a song got its genre, by the shipped model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ml.artifact import load_ensemble
from ml.ensemble import Ensemble
from ml.explanation import LABELS, Explanations, explain, feature_label
from ml.features import LYRIC_STATISTICS
from ml.songs import NUMBER_NAMES, Songs
from tests.factories.songs import songs

SPANISH = "que, de, y, el, mi, en, tu, te, amor, con, por, corazón"

MODEL = Path(__file__).parents[2] / "model"


@pytest.fixture(scope="module")
def ensemble() -> Ensemble:
    return load_ensemble(MODEL)


def varied_songs(n: int, ensemble: Ensemble) -> Songs:
    """Songs of words of every kind; the first has none that the model knows."""
    made = songs(n, seed=3)
    random = np.random.default_rng(4)
    words = ensemble.extractor.vocabulary.words[:1500]
    tags = [", ".join(random.choice(words, random.integers(1, 120))) for _ in range(n)]
    return Songs(made.track_ids, made.titles, ["zzzz", *tags[1:]], made.numbers)


def with_tags(made: Songs, tags: str) -> Songs:
    return Songs(made.track_ids, made.titles, [tags] * len(made), made.numbers)


def predicted(ensemble: Ensemble, some: Songs) -> npt.NDArray[np.int64]:
    genres: npt.NDArray[np.int64] = ensemble.predict(some).argmax(axis=1).astype(np.int64)
    return genres


def names(ensemble: Ensemble, genres: Iterable[int]) -> list[str]:
    return [ensemble.genres[genre] for genre in genres]


def explained(ensemble: Ensemble, some: Songs) -> Explanations:
    return explain(ensemble, some, names(ensemble, predicted(ensemble, some)))


def test_contributions_and_base_add_up_to_the_centred_log_odds_of_any_genre(ensemble: Ensemble) -> None:
    # given
    classifier = ensemble.classifier
    features = ensemble.extractor.transform(varied_songs(60, ensemble))
    temperatures = classifier.temperature.at(classifier.evidence(features))
    logits = classifier.logits(features) / temperatures[:, None]
    for genre in range(8):
        # when
        found = classifier.contributions(features, np.full(60, genre))
        # then
        np.testing.assert_allclose(
            found.features.sum(axis=1) + found.base,
            logits[:, genre] - logits.mean(axis=1),
            rtol=0,
            atol=1e-9,
        )


def test_the_probabilities_follow_from_the_contributions_to_all_genres(ensemble: Ensemble) -> None:
    # given
    some = varied_songs(20, ensemble)
    features = ensemble.extractor.transform(some)
    # when
    odds = []
    for genre in range(8):
        found = ensemble.classifier.contributions(features, np.full(20, genre))
        odds.append(np.exp(found.features.sum(axis=1) + found.base))
    # then
    shares = np.column_stack(odds) / np.sum(odds, axis=0)[:, None]
    np.testing.assert_allclose(shares, ensemble.predict(some), rtol=0, atol=1e-12)


def test_words_add_nothing_where_none_is_known(ensemble: Ensemble) -> None:
    # given a song that sound alone decides on
    some = varied_songs(2, ensemble)
    found = explained(ensemble, some).contributions
    about_words = [name not in NUMBER_NAMES for name in ensemble.extractor.names]
    # then
    assert np.all(found[0, about_words] == 0)
    assert np.any(found[1, about_words] != 0)


def test_the_strongest_come_first_with_the_songs_own_values(ensemble: Ensemble) -> None:
    # given
    some = varied_songs(5, ensemble)
    explanations = explained(ensemble, some)
    # when
    reasons = explanations.strongest(3, 10)
    # then
    contributions = explanations.contributions[3]
    assert [reason.contribution for reason in reasons] == sorted(contributions, reverse=True)[:10]
    values = ensemble.extractor.transform(some)[3]
    for reason in reasons:
        column = ensemble.extractor.names.index(reason.feature)
        assert (reason.value, reason.contribution) == (values[column], contributions[column])
        assert reason.label == feature_label(reason.feature)
    assert explanations.strongest(3, 0) == []
    assert len(explanations.strongest(3, 1_000)) == len(ensemble.extractor.names)


def test_a_songs_explanation_is_the_same_alone_and_among_others(ensemble: Ensemble) -> None:
    some = varied_songs(30, ensemble)
    alone = explained(ensemble, some.take([7]))
    assert alone.strongest(0, 300) == explained(ensemble, some).strongest(7, 300)


@pytest.mark.parametrize(
    ("tags", "genre", "label"),
    [
        ("blood, death, kill, grave, burn, the, hell, evil", "metal", "lyrics: Metal words"),
        ("jah, rasta, babylon, zion, dem, mi, fi", "soul and reggae", "lyrics: Reggae words"),
    ],
)
def test_words_of_a_genre_are_the_strongest_of_its_reasons_that_are_about_words(
    ensemble: Ensemble, tags: str, genre: str, label: str
) -> None:
    some = with_tags(songs(20), tags)
    found = explain(ensemble, some, [genre] * 20)
    for row in range(20):
        reasons = [reason for reason in found.strongest(row, 300) if reason.label.startswith("lyrics: ")]
        assert label in [reason.label for reason in reasons[:3]]
        assert reasons[0].contribution > 0


def test_spanish_words_speak_for_pop_and_english_ones_do_not(ensemble: Ensemble) -> None:
    # given
    column = ensemble.extractor.names.index("share_spanish")
    spanish, english = with_tags(songs(20), SPANISH), with_tags(songs(20), "i, the, you, to, and, a, love")
    # when
    for_pop = [explain(ensemble, some, ["pop"] * 20).contributions[:, column] for some in (spanish, english)]
    # then
    assert (for_pop[0] > 0).all()
    assert (for_pop[1] < 0).all()


def test_every_feature_of_the_shipped_model_has_a_label_of_its_own(ensemble: Ensemble) -> None:
    # given names that do not depend on the lyrics corpus
    for name in (*NUMBER_NAMES, *LYRIC_STATISTICS):
        assert name in LABELS
    labels = [feature_label(name) for name in ensemble.extractor.names]
    # then
    assert len(set(labels)) == len(labels)
    assert not [label for label in labels if "_" in label.partition("(vect_")[0]]
    assert LABELS.keys() <= set(ensemble.extractor.names)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("loudness", "loudness"),
        ("vect_17", "audio feature 17 (vect_17)"),
        ("share_spanish", "lyrics: Spanish share"),
        ("lyrics_metal", "lyrics: Metal words"),
        ("lyrics_new_age", "lyrics: New age words"),
        ("lyrics_rnb", "lyrics: R&B words"),
        ("share_klingon", "lyrics: klingon share"),
        ("spectral_flux", "spectral flux"),
    ],
)
def test_labels_can_be_read(name: str, label: str) -> None:
    assert feature_label(name) == label


def test_a_genre_that_the_model_does_not_know_is_an_error(ensemble: Ensemble) -> None:
    with pytest.raises(ValueError, match="polka"):
        explain(ensemble, songs(1), ["polka"])
