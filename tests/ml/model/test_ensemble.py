"""The shipped model: valid, reproducible probabilities that respond plausibly to changes of a song."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest

from ml.model.ensemble import Ensemble, softmax
from ml.songs.contract import NUMBER_NAMES, Songs
from tests.support.shipped_model import JAMAICAN, MODEL, changed
from tests.support.songs import songs

ENGLISH = "i, the, you, to, and, a, me, it, not, in, my, is, of, love, time, night"
SPANISH = "me, no, que, de, la, y, en, el, te, tu, se, mi, yo, por, lo, amor, con, un, corazón"


def predict(ensemble: Ensemble, songs: Songs, *, threads: int = 1) -> npt.NDArray[np.float64]:
    return ensemble.classify(songs, threads=threads).probabilities


def varied_songs(n: int, ensemble: Ensemble) -> Songs:
    """Return songs with all kinds of words, and numbers up to their limits."""
    made = songs(n, seed=1)
    random = np.random.default_rng(2)
    words = np.array([*ensemble.extractor.vocabulary.words[:1500], "Zzz", "ähm", "xy z"])
    tags = [", ".join(random.choice(words, random.integers(1, 120))) for _ in range(n)]
    return Songs(made.track_ids, made.titles, tags, made.numbers)


@pytest.fixture(scope="module")
def ten_thousand(ensemble: Ensemble) -> Songs:
    return varied_songs(10_000, ensemble)


@pytest.fixture(scope="module")
def thousand(ten_thousand: Songs, ensemble: Ensemble) -> tuple[Songs, npt.NDArray[np.float64]]:
    """A thousand songs and their predictions."""
    batch = ten_thousand.take(slice(1_000))
    return batch, predict(ensemble, batch)


def of_genre(
    ensemble: Ensemble, probabilities: npt.NDArray[np.float64], genre: str
) -> npt.NDArray[np.float64]:
    return probabilities[:, ensemble.genres.index(genre)]


def test_each_genre_has_a_probability_and_they_sum_to_one(ensemble: Ensemble) -> None:
    probabilities = predict(ensemble, varied_songs(300, ensemble))

    assert probabilities.shape == (300, 8)
    assert probabilities.dtype == np.float64
    assert ensemble.genres == tuple(sorted(ensemble.genres))
    assert (probabilities > 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=0, atol=1e-12)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_single_song_is_predicted_bit_for_bit_as_among_ten_thousand(
    ensemble: Ensemble, ten_thousand: Songs, threads: int
) -> None:
    together = predict(ensemble, ten_thousand, threads=threads)

    for row in range(0, 10_000, 97):
        single = predict(ensemble, ten_thousand.take([row]), threads=threads)
        assert np.array_equal(single[0], together[row])


@pytest.mark.parametrize("size", [2, 7, 8, 199, 200, 400, 401])
def test_predictions_do_not_depend_on_batch_size_or_threads(
    ensemble: Ensemble, thousand: tuple[Songs, npt.NDArray[np.float64]], size: int
) -> None:
    batch, expected = thousand

    for threads in (1, 2, 5):
        parts = [
            predict(ensemble, batch.take(slice(start, start + size)), threads=threads)
            for start in range(0, 1_000, size)
        ]
        assert np.array_equal(np.concatenate(parts), expected)


def test_predictions_do_not_depend_on_the_order_of_songs(
    ensemble: Ensemble, thousand: tuple[Songs, npt.NDArray[np.float64]]
) -> None:
    batch, expected = thousand
    order = np.random.default_rng(0).permutation(1_000)

    assert np.array_equal(predict(ensemble, batch.take(order)), expected[order])


def test_several_threads_can_predict_at_once(
    ensemble: Ensemble, thousand: tuple[Songs, npt.NDArray[np.float64]]
) -> None:
    batch, expected = thousand
    slices = [slice(start, start + length) for start in range(0, 500, 50) for length in (1, 30, 600)]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda part: predict(ensemble, batch.take(part), threads=2), slices))

    for part, probabilities in zip(slices, found, strict=True):
        assert np.array_equal(probabilities, expected[part])


def test_predicting_no_songs_returns_no_rows(ensemble: Ensemble) -> None:
    assert predict(ensemble, songs(0)).shape == (0, 8)


def test_spanish_words_make_pop_likelier(ensemble: Ensemble) -> None:
    some = songs(40)

    english = of_genre(ensemble, predict(ensemble, changed(some, tags=ENGLISH)), "pop")
    spanish = of_genre(ensemble, predict(ensemble, changed(some, tags=SPANISH)), "pop")

    assert (spanish > english).all()
    assert spanish.mean() > 2 * english.mean()


def test_reggae_words_make_soul_and_reggae_likelier(ensemble: Ensemble) -> None:
    some = songs(40)

    english = of_genre(ensemble, predict(ensemble, changed(some, tags=ENGLISH)), "soul and reggae")
    jamaican = of_genre(ensemble, predict(ensemble, changed(some, tags=JAMAICAN)), "soul and reggae")

    assert jamaican.mean() > english.mean()


def test_loudness_makes_metal_likelier(ensemble: Ensemble) -> None:
    some = changed(songs(40), tags=ENGLISH)

    quiet = of_genre(ensemble, predict(ensemble, changed(some, loudness=-20)), "metal")
    loud = of_genre(ensemble, predict(ensemble, changed(some, loudness=-3)), "metal")

    assert loud.mean() > quiet.mean()


def test_track_id_and_title_do_not_affect_predictions(ensemble: Ensemble) -> None:
    some = songs(20)
    other = Songs(some.track_ids + 1_000, [f"Rock {n}" for n in range(20)], some.tags, some.numbers)

    assert np.array_equal(predict(ensemble, some), predict(ensemble, other))


@pytest.mark.parametrize("value", [-1e12, 0.0, 1e12])
def test_extreme_audio_values_give_probabilities(ensemble: Ensemble, value: float) -> None:
    some = songs(3)
    numbers = some.numbers.copy()
    numbers[:, 6:] = value

    probabilities = predict(ensemble, Songs(some.track_ids, some.titles, some.tags, numbers))

    assert np.isfinite(probabilities).all()


def test_loading_and_predicting_print_nothing() -> None:
    program = (
        "from pathlib import Path; import sys\n"
        "from ml.model.artifact import load_ensemble; from tests.support.songs import songs\n"
        "load_ensemble(Path(sys.argv[1])).classify(songs(500), threads=2).probabilities\n"
    )

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(MODEL)],
        cwd=MODEL.parent,
        capture_output=True,
        text=True,
        check=True,
    )

    assert (done.stdout, done.stderr) == ("", "")


def test_missing_numbers_and_words_give_probabilities(ensemble: Ensemble) -> None:
    # given
    some = songs(30)
    numbers = some.numbers.copy()
    numbers[:10, NUMBER_NAMES.index("vect_25") :] = np.nan
    numbers[10:20] = np.nan
    tags = ["zzz"] * 10 + list(some.tags[10:])
    # when
    probabilities = predict(ensemble, Songs(some.track_ids, some.titles, tags, numbers))
    # then
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=0, atol=1e-12)
    assert not np.array_equal(probabilities, predict(ensemble, some))


def test_serving_does_not_import_training_libraries() -> None:
    # given: an installation without the extra `training`
    program = (
        "import sys; from pathlib import Path\n"
        "for name in ('sklearn', 'threadpoolctl', 'jinja2', 'matplotlib', 'optuna'):\n"
        "    sys.modules[name] = None\n"
        "import app.main\n"
        "from ml.model.artifact import load_ensemble; from tests.support.songs import songs\n"
        "assert load_ensemble(Path('model')).classify(songs(3)).probabilities.shape == (3, 8)\n"
        "assert not [name for name in sys.modules if name.startswith('ml.training')]\n"
    )
    # when
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=MODEL.parent, capture_output=True, text=True, check=False
    )
    # then
    assert (done.returncode, done.stderr) == (0, "")


def test_softmax_handles_log_odds_of_any_size() -> None:
    np.testing.assert_array_equal(softmax(np.array([[1e4, 0.0], [-1e4, -1e4]])), [[1, 0], [0.5, 0.5]])
