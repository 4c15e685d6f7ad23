"""Features: names, values calculated by hand, and independence of the other songs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ml.model.features import LYRIC_STATISTICS, FeatureExtractor, Vocabulary
from ml.songs.contract import NUMBER_NAMES, Songs
from ml.training.data import LyricsCorpus
from ml.training.parameters import Parameters
from ml.training.recipe import fit_extractor
from tests.support.songs import songs

CORPUS = LyricsCorpus(
    tags=("love, night", "love, blood", "love, blood", "que, corazón", "love, night", "blood, night"),
    genres=("Pop", "Metal", "Metal", "Latin Pop", "Pop", "Metal"),
)


def songs_with(*tags: str) -> Songs:
    some = songs(len(tags))
    return Songs(some.track_ids, some.titles, tags, some.numbers)


@pytest.fixture(scope="module")
def extractor() -> FeatureExtractor:
    return fit_extractor(["ignored"], CORPUS, Parameters())


def lyric_statistics(extractor: FeatureExtractor, tags: str) -> dict[str, float]:
    row = extractor.transform(songs_with(tags))[0]
    return {name: row[extractor.names.index(name)] for name in LYRIC_STATISTICS}


def test_features_are_numbers_lyric_statistics_and_corpus_genres(extractor: FeatureExtractor) -> None:
    assert extractor.names == (
        *NUMBER_NAMES,
        *LYRIC_STATISTICS,
        "lyrics_latin_pop",
        "lyrics_metal",
        "lyrics_pop",
    )
    assert len(LYRIC_STATISTICS) == 27
    assert LYRIC_STATISTICS[:3] == ("tag_count", "share_english", "share_spanish")


def test_genres_that_differ_only_in_punctuation_get_unique_names() -> None:
    corpus = LyricsCorpus(("love", "night", "blood", "rain"), ("R&B", "R'B", "Поп", "Рок"))

    extractor = fit_extractor(["love"], corpus, Parameters())

    assert extractor.names[-4:] == ("lyrics_r_b", "lyrics_r_b_1", "lyrics__", "lyrics___3")


def test_two_corpus_genres_have_opposite_scores() -> None:
    corpus = LyricsCorpus(("love", "love, night", "blood", "blood, night"), ("Pop", "Pop", "Metal", "Metal"))
    extractor = fit_extractor(["love"], corpus, Parameters())

    scores = extractor.transform(songs_with("love", "blood"))[:, -2:]

    assert extractor.names[-2:] == ("lyrics_metal", "lyrics_pop")
    np.testing.assert_array_equal(scores[:, 0], -scores[:, 1])


def test_without_a_lyrics_corpus_words_come_from_the_songs_and_have_no_genre_scores() -> None:
    extractor = fit_extractor(["love, night", "rain"], None, Parameters())

    assert extractor.names == (*NUMBER_NAMES, *LYRIC_STATISTICS)
    assert set(extractor.vocabulary.words) == {"love", "night", "rain"}
    assert extractor.corpus_songs == 2


def test_the_first_features_are_the_unchanged_numbers(extractor: FeatureExtractor) -> None:
    some = songs(3)

    table = extractor.transform(some)

    assert table.shape == (3, len(NUMBER_NAMES) + 27 + 3)
    assert table.flags.c_contiguous
    np.testing.assert_array_equal(table[:, : len(NUMBER_NAMES)], some.numbers)


def test_lyric_statistics_match_values_calculated_by_hand(extractor: FeatureExtractor) -> None:
    # given: a corpus of 6 songs; love is in 4, blood in 3, corazón in 1
    statistics = lyric_statistics(extractor, "love, blood, corazón")

    expected = dict.fromkeys(LYRIC_STATISTICS, 0.0) | {
        "tag_count": 3.0,
        "share_english": 1 / 3,  # love
        "share_spanish": 1 / 3,  # corazón
        "share_not_ascii": 1 / 3,  # corazón
        "share_rare": 1 / 3,  # corazón
        "mean_document_frequency": (4 / 6 + 3 / 6 + 1 / 6) / 3,
        "mean_log_document_frequency": (math.log(5) + math.log(4) + math.log(2)) / 3,
        "share_frequent": 2 / 3,  # love, blood
        "mean_word_length": (4 + 5 + 7) / 3,
        "share_love": 1 / 3,
        "share_death": 1 / 3,  # blood
    }
    assert statistics == pytest.approx(expected, rel=1e-6)


def test_unknown_words_are_ignored(extractor: FeatureExtractor) -> None:
    np.testing.assert_array_equal(
        extractor.transform(songs_with("zzz, love, ß")), extractor.transform(songs_with("love"))
    )


@pytest.mark.parametrize(
    "tags",
    [
        "night, love, zzz",
        "love,night,zzz",
        " love ,night,\tzzz ",
        "love, love, night, zzz, zzz, zzz",
        "love,, night, , zzz,",
        "zzz,love, night",
        "LOVE, Night, zzz",
    ],
)
def test_order_whitespace_case_and_repetition_of_words_are_ignored(
    extractor: FeatureExtractor, tags: str
) -> None:
    np.testing.assert_array_equal(
        extractor.transform(songs_with(tags)), extractor.transform(songs_with("love, night, zzz"))
    )


@pytest.mark.parametrize(("tags", "count"), [(" , ,", 0), ("zzz, ß", 0), ("", np.nan), (" ", np.nan)])
def test_without_known_words_only_the_word_count_is_known(
    extractor: FeatureExtractor, tags: str, count: float
) -> None:
    table = extractor.features(songs(1).numbers, [tags])

    assert np.isfinite(table[:, : len(NUMBER_NAMES)]).all()
    np.testing.assert_array_equal(table[0, len(NUMBER_NAMES)], count)
    assert np.isnan(table[:, len(NUMBER_NAMES) + 1 :]).all()


def test_missing_numbers_are_nan_features(extractor: FeatureExtractor) -> None:
    numbers = songs(2).numbers
    numbers[1, 3:] = np.nan

    np.testing.assert_array_equal(extractor.features(numbers, ["love"] * 2)[:, : len(NUMBER_NAMES)], numbers)


def test_words_of_a_genre_raise_its_score(extractor: FeatureExtractor) -> None:
    table = extractor.transform(songs_with("blood", "love, night", "que"))
    names = extractor.names

    scores = table[:, [names.index(f"lyrics_{genre}") for genre in ("metal", "pop", "latin_pop")]]

    assert scores.argmax(axis=1).tolist() == [0, 1, 2]


def test_a_songs_features_do_not_depend_on_the_other_songs(extractor: FeatureExtractor) -> None:
    # given: songs that each have an unknown word of their own
    words = [*extractor.vocabulary.words, "zzz", "ä", "yyyyy", "x"]
    random = np.random.default_rng(0)
    tags = [", ".join(random.choice(words, random.integers(1, 9))) for _ in range(500)]
    batch = songs_with(*tags)

    together = extractor.transform(batch)

    one_by_one = np.vstack([extractor.transform(batch.take([row])) for row in range(500)])
    np.testing.assert_array_equal(together, one_by_one)


def test_a_vocabulary_keeps_the_common_order_of_tag_lists() -> None:
    assert Vocabulary.of(["b, a", "c, b"]).words == ("c", "b", "a")


def test_a_vocabulary_is_sorted_if_tag_lists_disagree_on_the_order() -> None:
    assert Vocabulary.of(["b, a", "a, b", "c"]).words == ("a", "b", "c")


def test_encoding_no_songs_gives_an_empty_matrix() -> None:
    assert Vocabulary(("a", "b")).encode([]).shape == (0, 2)


def test_encoding_without_known_words_gives_a_matrix_without_columns() -> None:
    assert Vocabulary(()).encode(["love", ""]).shape == (2, 0)


def test_encoding_skips_unknown_words() -> None:
    encoded = Vocabulary(("a", "b")).encode(["b, a, x, x", "y", "a ,x"])

    assert encoded.toarray().tolist() == [[1, 1], [0, 0], [1, 0]]


def test_a_vocabulary_is_in_lower_case() -> None:
    assert Vocabulary.of(["Love, CORAZÓN"]).words == ("love", "corazón")
