"""Training from CSV files to a scored artifact, and errors of unusable files."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from ml.model.artifact import ArtifactError, load_ensemble
from ml.model.ensemble import softmax
from ml.songs.contract import SONG_COLUMNS
from ml.training.data import TrainingDataError, read_labelled_songs
from ml.training.evaluation import fingerprints
from ml.training.recipe import fit_temperature
from ml.training.train import TrainingFiles, TrainingReport, train
from tests.support.songs import song_csv, song_rows
from tests.support.training_files import GENRES, QUICK, contents, write_csv, write_training_files


@pytest.fixture
def files(tmp_path: Path) -> TrainingFiles:
    """Files like those of `small_model`, which tests may change."""
    return write_training_files(tmp_path)


def train_quickly(files: TrainingFiles, out: Path, *, seed: int = 0) -> TrainingReport:
    return train(files, out, parameters=QUICK.model_copy(update={"seed": seed}))


def test_the_manifest_records_data_scores_and_files(files: TrainingFiles, tmp_path: Path) -> None:
    report = train_quickly(files, tmp_path / "model")

    manifest = report.manifest
    assert manifest.genres == GENRES
    assert manifest.columns == SONG_COLUMNS
    assert manifest.training_data.rows == {"features": 48, "labels": 48, "lyrics": 36, "further": 24}
    assert manifest.training_data.rows_per_genre == dict.fromkeys(GENRES, 16)
    assert manifest.training_data.further_rows_per_genre == dict.fromkeys(GENRES, 8)
    assert manifest.training_data.files_sha256.keys() == {"features", "labels", "lyrics", "further"}
    assert manifest.training_data.groups == "pseudo-artists"
    assert manifest.features[-3:] == ("lyrics_ballad", "lyrics_march", "lyrics_polka")
    assert manifest.created_at.date() == datetime.now(UTC).date()
    assert manifest.model_version.startswith("0.")
    assert manifest.model_version[-9] == "+"
    for scores in (manifest.metrics.random_folds, manifest.metrics.grouped_folds):
        assert sum(map(sum, scores.confusion)) == 48
        assert {genre: of.support for genre, of in scores.per_genre.items()} == dict.fromkeys(GENRES, 16)
        assert scores.intervals["accuracy"][0] <= scores.accuracy <= scores.intervals["accuracy"][1]
        assert "4 " in scores.split
    assert manifest.metrics.random_folds.accuracy > 0.7
    assert list(manifest.metrics.missing) == ["vect_25 … vect_148", "tags", "vect_25 … vect_148 and tags"]
    data = report.data
    assert (data.songs_without_label, data.labels_without_song, data.rows_with_missing_values) == (0, 0, 0)
    assert load_ensemble(tmp_path / "model").manifest == manifest


def test_the_manifest_has_a_fingerprint_of_each_song(files: TrainingFiles, small_model: Path) -> None:
    recorded = load_ensemble(small_model).manifest.training_data.song_fingerprints

    songs = read_labelled_songs(files.features, files.labels).songs
    assert list(recorded) == sorted(fingerprints(songs))
    assert len(set(recorded)) == 48
    assert {len(fingerprint) for fingerprint in recorded} == {12}


def test_training_twice_writes_the_same_bytes(
    files: TrainingFiles, small_model: Path, tmp_path: Path
) -> None:
    with threadpool_limits(limits=1):
        train_quickly(files, tmp_path / "second")

    assert contents(tmp_path / "second") == contents(small_model)


def test_training_the_same_model_on_another_day_changes_nothing(
    files: TrainingFiles, small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    shutil.copytree(small_model, tmp_path / "model")
    before = contents(tmp_path / "model")

    class Tomorrow(datetime):
        @classmethod
        def now(cls, _tz: object = None) -> datetime:  # type: ignore[override]
            return datetime(2100, 1, 2, 3, 4, 5, tzinfo=UTC)

    monkeypatch.setattr("ml.training.train.datetime", Tomorrow)
    # when
    train_quickly(files, tmp_path / "model")
    # then
    assert contents(tmp_path / "model") == before
    assert train_quickly(files, tmp_path / "other").manifest.created_at == datetime(2100, 1, 2, tzinfo=UTC)


def test_another_seed_trains_another_model(files: TrainingFiles, small_model: Path, tmp_path: Path) -> None:
    first = load_ensemble(small_model).manifest
    second = train_quickly(files, tmp_path / "second", seed=1).manifest

    assert first.model_version != second.model_version
    assert second.parameters["seed"] == 1


def test_lyrics_and_further_songs_are_optional(files: TrainingFiles, tmp_path: Path) -> None:
    manifest = train_quickly(TrainingFiles(files.features, files.labels), tmp_path / "model").manifest

    assert manifest.features[-1] == "share_slang"
    assert manifest.training_data.rows == {"features": 48, "labels": 48}
    assert manifest.training_data.further_rows_per_genre == {}
    assert load_ensemble(tmp_path / "model").extractor.names == manifest.features


def test_further_songs_change_the_trees(files: TrainingFiles, small_model: Path, tmp_path: Path) -> None:
    with_them = load_ensemble(small_model).manifest
    without = train_quickly(replace(files, further=None), tmp_path / "without").manifest

    assert with_them.files["fold_0.txt"] != without.files["fold_0.txt"]
    assert with_them.files["vocabulary.json"] == without.files["vocabulary.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("genre,artist\npolka,x\n", "line 1: the header has no numeric column, such as loudness"),
        ("tempo\n100\n", "line 1: the column genre is missing"),
        ("genre,tempo\n", "has no rows"),
        ("genre,tempo\npolka,100\nwaltz,90\n", "line 3: genre is 'waltz', must be one of"),
        ("genre,tempo\npolka,fast\n", "line 2: tempo is 'fast', must be a number from 0 to 1,000"),
        ("genre,tempo\npolka,1e9\n", "line 2: tempo is '1e9', must be a number from 0 to 1,000"),
        ("genre,tempo\npolka,inf\n", "line 2: tempo is 'inf', must be a number from 0 to 1,000"),
        ("genre,tempo\npolka,100,3\n", "line 2: 3 cells, the header has 2"),
    ],
)
def test_invalid_further_songs_are_rejected_with_line_and_reason(
    files: TrainingFiles, tmp_path: Path, content: str, message: str
) -> None:
    assert files.further is not None
    files.further.write_text(content, encoding="utf-8")

    with pytest.raises(TrainingDataError) as refused:
        train_quickly(files, tmp_path / "model")

    assert str(refused.value).startswith(str(files.further))
    assert message in str(refused.value)
    assert not (tmp_path / "model").exists()


def test_an_artist_column_replaces_pseudo_artists(tmp_path: Path) -> None:
    files = write_training_files(tmp_path, artists=True)

    report = train_quickly(files, tmp_path / "model")

    assert report.manifest.training_data.groups == "artists"
    assert report.manifest.training_data.group_count == 15
    assert "no artist in two" in report.manifest.metrics.grouped_folds.split


def test_a_genre_of_a_single_artist_is_scored_without_warnings(files: TrainingFiles, tmp_path: Path) -> None:
    # given: all polkas by one artist, so that the fold that scores them has none to train on
    rows = [
        [str(n + 1), GENRES[n % 3], "Polka Band" if n % 3 == 2 else f"{GENRES[n % 3]} {n % 5}"]
        for n in range(48)
    ]
    write_csv(files.labels, ["trackID", "genre", "artist"], rows)

    report = train_quickly(files, tmp_path / "model")

    assert report.manifest.metrics.grouped_folds.per_genre["polka"].recall == 0


def test_two_genres_are_enough(files: TrainingFiles, tmp_path: Path) -> None:
    lines = files.labels.read_text(encoding="utf-8").splitlines()
    files.labels.write_text("\n".join(line for line in lines if "polka" not in line), encoding="utf-8")

    report = train_quickly(replace(files, further=None), tmp_path / "model")

    assert report.manifest.genres == ("ballad", "march")
    assert report.data.songs_without_label == 16
    assert report.manifest.metrics.random_folds.accuracy > 0.7


def test_unmatched_songs_and_labels_and_incomplete_songs_are_counted(
    files: TrainingFiles, tmp_path: Path
) -> None:
    # given: 48 songs, one incomplete, one repeated; and the label of an unknown song, repeated
    rows = song_rows(48, seed=3)
    rows[0]["tempo"] = ""
    files.features.write_bytes(song_csv([*rows, rows[1]]))
    with files.labels.open("a", encoding="utf-8") as labels:
        labels.write("\n900,polka\n900,polka\n")

    report = train_quickly(files, tmp_path / "model")

    assert report.data.rows_with_missing_values == 1
    assert report.data.labels_without_song == 2
    assert report.data.songs_without_label == 0
    assert sum(report.manifest.training_data.rows_per_genre.values()) == 47


def test_progress_counts_up_to_the_end(files: TrainingFiles, tmp_path: Path) -> None:
    steps: list[tuple[int, int, str]] = []

    train(
        files,
        tmp_path / "model",
        parameters=QUICK,
        progress=lambda done, total, what: steps.append((done, total, what)),
    )

    assert [done for done, _, _ in steps] == list(range(8))
    assert {total for _, total, _ in steps} == {7}
    assert steps[0][2] == "read the files"
    assert steps[1][2] == "score grouped folds"
    assert steps[-1][2] == "done"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("trackID\n1\n", "line 1: the column genre is missing"),
        ("", "line 1: the column trackID is missing"),
        ("trackID,genre\n", "has no rows"),
        ("trackID,genre\nx,polka\n", "line 2: trackID is 'x', must be an integer"),
        ("trackID,genre\n1,polka\n2,\n", "line 3: genre is '', must be a name"),
        ("trackID,genre\n1,polka\n2,NaN\n", "line 3: genre is 'NaN', must be a name"),
        ("trackID,genre\n1,polka\n1,march\n", "line 3: song 1 has two genres, 'polka' and 'march'"),
        ("trackID,genre\n1,polka,x\n", "line 2: 3 cells, the header has 2"),
        ('trackID,genre\n1,"polka\n', "The row that starts on line 2 has a quote that is never closed"),
        ("trackID,genre\n999,polka\n", "has the genre of no song of"),
        ("trackID,genre\n" + "".join(f"{n},polka\n" for n in range(1, 40)), "has only one genre, 'polka'"),
        (
            "trackID,genre\n" + "".join(f"{n},{'polka' if n < 6 else 'march'}\n" for n in range(1, 40)),
            "has 5 complete songs of 'polka', 4-fold scoring needs 8",
        ),
        (
            "trackID,genre,artist\n" + "".join(f"{n},{GENRES[n % 3]},Band {n % 3}\n" for n in range(1, 40)),
            "has 3 artists, 4-fold scoring needs 4",
        ),
    ],
)
def test_invalid_labels_are_rejected_with_line_and_reason(
    files: TrainingFiles, tmp_path: Path, labels: str, message: str
) -> None:
    files.labels.write_text(labels, encoding="utf-8")

    with pytest.raises(TrainingDataError) as refused:
        train_quickly(files, tmp_path / "model")

    assert str(refused.value).startswith(str(files.labels))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "model").exists()


def test_labels_that_are_not_utf8_are_rejected(files: TrainingFiles, tmp_path: Path) -> None:
    files.labels.write_bytes(b"trackID,genre\n1,\xff\n")

    with pytest.raises(TrainingDataError, match="is not UTF-8"):
        train_quickly(files, tmp_path / "model")


@pytest.mark.parametrize("missing", ["features", "labels", "lyrics", "further"])
def test_a_missing_file_is_named(files: TrainingFiles, tmp_path: Path, missing: str) -> None:
    path: Path = getattr(files, missing)
    path.unlink()

    with pytest.raises(TrainingDataError, match="cannot be read: No such file"):
        train_quickly(files, tmp_path / "model")


def test_an_invalid_song_file_is_rejected_with_its_first_problem(
    files: TrainingFiles, tmp_path: Path
) -> None:
    rows = song_rows(48)
    rows[4]["tempo"] = "asd"
    files.features.write_bytes(song_csv(rows))

    with pytest.raises(TrainingDataError, match=r"features\.csv: .*Line 6.*tempo.*asd"):
        train_quickly(files, tmp_path / "model")


def test_a_song_file_without_complete_songs_is_rejected(files: TrainingFiles, tmp_path: Path) -> None:
    rows = song_rows(3)
    for row in rows:
        row["tempo"] = ""
    files.features.write_bytes(song_csv(rows))

    with pytest.raises(TrainingDataError, match="has no complete song"):
        train_quickly(files, tmp_path / "model")


def test_lyrics_of_a_single_genre_are_rejected(files: TrainingFiles, tmp_path: Path) -> None:
    assert files.lyrics is not None
    write_csv(files.lyrics, ["genre", "tags"], [["Pop", "love"], ["Pop", "night"], ["Rock", " , "]])

    with pytest.raises(TrainingDataError, match="fewer than two genres with lyrics"):
        train_quickly(files, tmp_path / "model")


def test_a_folder_that_is_not_a_model_is_rejected_before_training(
    files: TrainingFiles, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear", encoding="utf-8")

    with pytest.raises(ArtifactError, match="exists and is not a model"):
        train_quickly(files, tmp_path / "mine")

    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_the_temperature_matches_confidence_to_accuracy() -> None:
    # given: a model with 99.9 % confidence and an accuracy of 3 of 4
    logits = np.array([[math.log(999), 0.0]] * 4)

    temperature = fit_temperature(logits, np.array([0, 0, 0, 1]))

    assert softmax(logits / temperature)[0, 0] == pytest.approx(0.75, abs=1e-3)
