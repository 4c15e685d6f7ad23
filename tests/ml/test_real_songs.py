"""The shipped model and the real songs it was trained on, where these are at hand."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.artifact import load_ensemble
from ml.evaluation import score
from ml.labels import read_lyrics
from ml.parameters import Parameters
from ml.recipe import predict_grouped
from ml.song_file import SongFile
from ml.songs import METADATA_COLUMNS, Songs
from ml.training import make_examples, train
from ml.training_data import read_labelled_songs

REPOSITORY = Path(__file__).parents[2]
DATA = REPOSITORY.parent / "shared" / "data"

pytestmark = [
    pytest.mark.real_songs,
    pytest.mark.skipif(
        not DATA.is_dir(), reason="the real songs are not beside the repository, in ../shared/data"
    ),
]


def real_songs(name: str) -> Songs:
    with (DATA / name).open("rb") as file:
        (chunk,) = SongFile(file, name=name).chunks()
    return chunk


def sha256(name: str) -> str:
    return hashlib.sha256((DATA / name).read_bytes()).hexdigest()


def test_the_shipped_model_was_trained_on_the_real_songs() -> None:
    data = load_ensemble(REPOSITORY / "model").manifest.training_data

    assert data.features_sha256 == sha256("features.csv")
    assert data.labels_sha256 == sha256("labels.csv")
    assert data.lyrics_sha256 == sha256("lyrics_genre.csv")
    assert sum(data.rows_per_genre.values()) == 450


def test_the_shipped_model_takes_the_unlabelled_batch() -> None:
    ensemble = load_ensemble(REPOSITORY / "model")

    probabilities = ensemble.predict(real_songs("test.csv"), threads=2)

    assert probabilities.shape == (428, 8)
    # It does not know these artists, and does not claim to.
    assert 0.4 < probabilities.max(axis=1).mean() < 0.7
    assert (np.bincount(probabilities.argmax(axis=1), minlength=8) > 0).all()


def test_the_shipped_model_holds_its_scores() -> None:
    metrics = load_ensemble(REPOSITORY / "model").manifest.metrics

    assert metrics.grouped_folds.accuracy >= 0.6
    assert metrics.grouped_folds.calibration_error <= 0.05
    assert metrics.random_folds.accuracy >= 0.8


def test_training_on_the_real_songs_gives_the_shipped_scores_again(tmp_path: Path) -> None:
    shipped = load_ensemble(REPOSITORY / "model").manifest

    report = train(DATA / "features.csv", DATA / "labels.csv", DATA / "lyrics_genre.csv", tmp_path / "model")

    # Another processor may round other last bits, and so flip the odd song.
    assert report.manifest.parameters == shipped.parameters
    assert report.manifest.features == shipped.features
    for again, first in (
        (report.grouped_folds, shipped.metrics.grouped_folds),
        (report.random_folds, shipped.metrics.random_folds),
    ):
        assert again.accuracy == pytest.approx(first.accuracy, abs=0.01)
        assert again.log_loss == pytest.approx(first.log_loss, abs=0.01)


def test_no_title_of_a_real_song_is_in_the_model() -> None:
    words = (REPOSITORY / "model" / "vocabulary.json").read_text(encoding="utf-8")

    longer = [title for title in real_songs("features.csv").titles if title.count(" ") >= 2]
    assert len(longer) > 100
    assert not [title for title in longer if title in words]


def test_a_song_without_a_known_word_gets_a_calibrated_answer_by_its_sound() -> None:
    # given: the labelled songs, none of whose words the model knows, each judged by a fold without its artist
    data = read_labelled_songs(DATA / "features.csv", DATA / "labels.csv")
    extractor, examples = make_examples(data, read_lyrics(DATA / "lyrics_genre.csv"), Parameters())
    grouped = predict_grouped(examples, data.groups, Parameters(), group_name=data.group_name)
    wordless = extractor.transform(replace(data.songs, tags=["qqxqq"] * len(data.songs)))

    probabilities = np.vstack(
        [
            classifier.probabilities(wordless[scored])
            for classifier, (_, scored) in zip(grouped.classifiers, grouped.folds, strict=True)
        ]
    )

    labels = np.concatenate([data.labels[scored] for _, scored in grouped.folds])
    scores = score(probabilities, labels, data.genres, split="grouped folds, no known words")
    # One genre in eight would be .125 and the commonest .164. Calibration of 450 songs in 10 bins is noisy.
    assert scores.accuracy > 0.45
    assert scores.calibration_error < 0.1
    assert scores.log_loss < 1.6


def test_other_features_leave_the_ranges_of_training_and_unknown_artists_seldom_do() -> None:
    # given
    ensemble = load_ensemble(REPOSITORY / "model")
    songs = real_songs("test.csv")

    def shares_outside(songs: Songs) -> list[float]:
        shares: list[float] = (ensemble.classify(songs).songs_outside / len(songs)).round(3).tolist()
        return shares

    # then, as `ml.drift` says, of metadata, audio and lyrics
    assert shares_outside(songs) == [0.033, 0.049, 0.005]
    assert shares_outside(real_songs("features.csv")) == [0, 0, 0]
    # when an extractor makes other audio features
    for factor, share in ((1.5, 0.914), (10, 1)):
        numbers = songs.numbers.copy()
        numbers[:, len(METADATA_COLUMNS) :] *= factor
        # then
        assert shares_outside(replace(songs, numbers=numbers)) == [0.033, share, 0.005]


def test_the_ranges_of_training_are_those_of_the_songs_trained_on() -> None:
    # given
    ensemble = load_ensemble(REPOSITORY / "model")
    features = ensemble.extractor.transform(real_songs("features.csv"))
    # then
    np.testing.assert_array_equal(ensemble.training_ranges.lowest, features.min(axis=0))
    np.testing.assert_array_equal(ensemble.training_ranges.highest, features.max(axis=0))
