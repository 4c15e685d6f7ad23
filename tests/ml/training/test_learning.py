"""Learning from verified songs: effect, errors and output."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from ml.errors import UserError
from ml.model.artifact import ArtifactError, load_ensemble
from ml.model.ensemble import Ensemble
from ml.songs.contract import NUMBER_NAMES, Songs
from ml.training.continuation import with_genres
from ml.training.data import TrainingDataError, read_labelled_songs
from ml.training.evaluation import evaluate
from ml.training.learn import VerifiedSongs, learn
from ml.training.train import TrainingFiles, train
from tests.support.songs import songs as random_songs
from tests.support.training_files import GENRES, QUICK, contents

WORSE = re.compile(
    r"^Nothing was written: out of fold, the model would be worse on the 48 verified songs \(accuracy "
    r"(0\.\d{3}) before, (0\.\d{3}) after; log-loss (\d\.\d{3}) before, (\d\.\d{3}) after\)\. "
    r"Verify more songs\.$"
)
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
LOUDNESS, FIRST = NUMBER_NAMES.index("loudness"), NUMBER_NAMES.index("vect_1")


@pytest.fixture(scope="module")
def base(shared_files: TrainingFiles, tmp_path_factory: pytest.TempPathFactory) -> Ensemble:
    folder = tmp_path_factory.mktemp("models") / "model"
    train(shared_files, folder, parameters=QUICK.model_copy(update={"rounds": 10}))
    return load_ensemble(folder)


def catalogue(n: int, genres: Sequence[str], *, seed: int = 0) -> VerifiedSongs:
    """Return songs of alternating genres, which differ in sound, unlike in the training songs."""
    random = np.random.default_rng(seed)
    made = random_songs(n, seed)
    numbers = made.numbers.copy()
    position = np.arange(n) % len(genres)
    numbers[:, LOUDNESS] = 20 * position - 30 + random.normal(size=n)
    numbers[:, FIRST : FIRST + 30] = (5 * position + random.normal(size=(30, n))).T - 40
    songs = Songs(made.track_ids, made.titles, made.tags, numbers)
    return VerifiedSongs(songs, tuple(genres[number] for number in position.tolist()), NOON)


def accuracy(ensemble: Ensemble, songs: VerifiedSongs) -> float:
    predicted = [
        ensemble.genres[number] for number in ensemble.classify(songs.songs).probabilities.argmax(axis=1)
    ]
    return float(np.mean(np.array(predicted) == np.array(songs.genres)))


def test_learning_improves_accuracy_on_a_catalogue_unlike_the_training_songs(
    base: Ensemble, tmp_path: Path
) -> None:
    genres = ("polka", "ballad", "jig")
    report = learn(base, catalogue(60, genres), tmp_path / "out")

    learned, others = load_ensemble(tmp_path / "out"), catalogue(200, genres, seed=1)
    assert accuracy(base, others) < 0.5
    assert accuracy(learned, others) > 0.9
    assert report.learned.before.accuracy < 0.5
    assert report.learned.after.accuracy > 0.9
    assert learned.genres == ("ballad", "jig", "march", "polka")
    assert np.allclose(learned.classify(others.songs).probabilities.sum(axis=1), 1)


def test_ten_songs_teach_what_they_have_in_common(base: Ensemble, tmp_path: Path) -> None:
    # given songs that the model calls alike
    genres, others = ("polka", "ballad"), catalogue(100, ("polka", "ballad"), seed=1)
    assert accuracy(base, others) <= 0.5
    # when
    report = learn(base, catalogue(10, genres), tmp_path / "out")
    # then
    assert report.learned.after.accuracy > report.learned.before.accuracy
    assert accuracy(load_ensemble(tmp_path / "out"), others) > 0.8


def test_manifest_and_card_describe_what_was_learned(base: Ensemble, tmp_path: Path) -> None:
    manifest = learn(base, catalogue(45, ("polka", "ballad", "jig")), tmp_path / "out").manifest

    assert manifest == load_ensemble(tmp_path / "out").manifest
    assert manifest.verified_until == NOON
    assert manifest.model_version != base.manifest.model_version
    assert manifest.training_data == base.manifest.training_data
    assert manifest.learned is not None
    assert manifest.learned.rows_per_genre == {"ballad": 15, "jig": 15, "polka": 15}
    assert manifest.learned.base_version == base.manifest.model_version
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "on 45 verified songs, the latest verified at 2026-11-27T12:00:00+00:00" in card
    assert f"continued from {base.manifest.model_version} by `genregraph learn`" in card
    assert "| jig: recall of 15 | 0.00 | 1.00 |" in card


@pytest.mark.parametrize(("songs", "known"), [(4, False), (5, True)], ids=["four songs", "five songs"])
def test_a_new_genre_needs_five_songs(songs: int, known: bool, base: Ensemble, tmp_path: Path) -> None:
    verified = catalogue(60, ("polka", "ballad", "jig"))
    jigs = [row for row, genre in enumerate(verified.genres) if genre == "jig"][songs:]
    rows = [row for row in range(60) if row not in jigs]
    some = replace(
        verified, songs=verified.songs.take(rows), genres=tuple(verified.genres[row] for row in rows)
    )

    report = learn(base, some, tmp_path / "out")

    assert ("jig" in report.manifest.genres) is known
    assert report.left_out == ({} if known else {"jig": 4})
    assert sum(report.learned.rows_per_genre.values()) == 40 + (songs if known else 0)


def test_the_same_songs_write_the_same_bytes_even_after_earlier_learning(
    base: Ensemble, tmp_path: Path
) -> None:
    verified = catalogue(60, ("polka", "ballad", "jig", "reel"))
    learn(base, verified, tmp_path / "once")
    learn(base, verified, tmp_path / "twice")
    learn(base, catalogue(40, ("march", "waltz"), seed=2), tmp_path / "waltz")
    learn(load_ensemble(tmp_path / "waltz"), verified, tmp_path / "again")

    assert contents(tmp_path / "twice") == contents(tmp_path / "once")
    assert contents(tmp_path / "again") == contents(tmp_path / "once")


def test_a_worse_model_is_not_written(base: Ensemble, files: TrainingFiles, tmp_path: Path) -> None:
    # given: training songs, of which some have randomly wrong verified genres
    data = read_labelled_songs(files.features, files.labels)
    random = np.random.default_rng(1)
    genres = [str(random.choice(GENRES)) if random.random() < 0.5 else genre for genre in data.genres]

    with pytest.raises(UserError, match=WORSE) as refused:
        learn(base, VerifiedSongs(data.songs, tuple(genres), NOON), tmp_path / "out")

    match = re.match(WORSE, str(refused.value))
    assert match is not None
    before, after, loss_before, loss_after = map(float, match.groups())
    assert after < before or loss_after > loss_before + 0.01
    assert list(tmp_path.iterdir()) == []


def test_a_few_songs_hardly_change_accuracy_on_the_training_songs(
    base: Ensemble, files: TrainingFiles, tmp_path: Path
) -> None:
    data = read_labelled_songs(files.features, files.labels)
    known = VerifiedSongs(data.songs, data.genres, NOON)

    learn(base, catalogue(10, ("polka", "ballad")), tmp_path / "out")

    assert accuracy(load_ensemble(tmp_path / "out"), known) > accuracy(base, known) - 0.05


@pytest.mark.parametrize(
    ("verified", "message"),
    [
        (
            catalogue(9, ("polka", "ballad")),
            r"^9 verified songs can be learned from, 10 are needed\. Verify more songs; .* from 5 songs on",
        ),
        (catalogue(0, ("polka",)), r"^0 verified songs can be learned from, 10 are needed\. "),
        (catalogue(30, tuple(f"new {n}" for n in range(10))), r"^0 verified songs can be learned from, 10 "),
        (catalogue(20, ("polka",)), r"^All verified songs are of 'polka'\. Verify songs of other genres\.$"),
    ],
    ids=["nine", "none", "only rare new genres", "one genre"],
)
def test_too_few_songs_are_an_error(
    verified: VerifiedSongs, message: str, base: Ensemble, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        learn(base, verified, tmp_path / "out")


def test_ten_songs_are_enough_even_with_rare_genres_and_missing_values(
    base: Ensemble, tmp_path: Path
) -> None:
    verified = catalogue(10, ("polka", "ballad"))
    verified.songs.numbers[3:6, FIRST + 24 :] = np.nan
    lacking = replace(verified.songs, tags=[""] * 10)
    genres = (*verified.genres[:9], "march")

    report = learn(base, VerifiedSongs(lacking, genres, NOON), tmp_path / "out")

    assert report.learned.rows_per_genre == {"ballad": 4, "march": 1, "polka": 5}


def test_a_folder_that_is_not_a_model_is_not_replaced(base: Ensemble, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    with pytest.raises(ArtifactError, match="exists and is not a model"):
        learn(base, catalogue(30, ("polka", "ballad")), tmp_path)


def test_evaluation_rejects_the_training_songs_of_a_model_that_learned(
    base: Ensemble, files: TrainingFiles, tmp_path: Path
) -> None:
    learn(base, catalogue(30, ("polka", "ballad")), tmp_path / "out")

    with pytest.raises(TrainingDataError, match="only songs that the model was trained on or learned from"):
        evaluate(load_ensemble(tmp_path / "out"), files.features, files.labels)


def test_changing_a_boosters_genres_keeps_the_scores_of_the_others(base: Ensemble) -> None:
    booster = base.classifier.boosters[0]
    features = base.extractor.transform(random_songs(30))

    changed = with_genres(booster, base.genres, ("ballad", "jig", "polka"), rounds=10, score=-1.5)

    before = np.asarray(booster.predict(features, raw_score=True))
    after = np.asarray(changed.predict(features, raw_score=True))
    assert np.array_equal(after[:, [0, 2]], before[:, [0, 2]])
    assert set(after[:, 1].tolist()) == {-1.5}
