"""Training: from CSV files to a scored artifact, and what it says of files that will not do."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from ml.artifact import ArtifactError, Manifest, load_ensemble
from ml.calibration import fit_temperature
from ml.classifier import softmax
from ml.songs import SONG_COLUMNS
from ml.temperature import Temperature
from ml.training import TrainingDataError, TrainingReport, train
from ml.training_data import fingerprints, read_named_songs
from tests.factories.songs import song_csv, song_rows
from tests.ml.training_files import GENRES, QUICK, TrainingFiles, write_csv, write_training_files


@pytest.fixture
def files(tmp_path: Path) -> TrainingFiles:
    return write_training_files(tmp_path)


def train_quickly(files: TrainingFiles, out: Path, *, lyrics: bool = True, seed: int = 0) -> TrainingReport:
    return train(
        files.features, files.labels, files.lyrics if lyrics else None, out, seed=seed, parameters=QUICK
    )


def hashes_and_scores(manifest: Manifest) -> dict[str, object]:
    content = manifest.to_json()
    del content["created_at"], content["manifest_sha256"]
    return content


def test_the_manifest_tells_of_data_scores_and_files(files: TrainingFiles, tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)

    report = train_quickly(files, tmp_path / "model")

    manifest = report.manifest
    assert manifest.genres == GENRES
    assert manifest.columns == SONG_COLUMNS
    assert manifest.training_data.rows_per_genre == dict.fromkeys(GENRES, 16)
    assert manifest.training_data.lyrics_rows == 36
    assert manifest.training_data.groups == "pseudo-artists"
    assert manifest.features[-3:] == ("lyrics_ballad", "lyrics_march", "lyrics_polka")
    assert before <= manifest.created_at <= datetime.now(UTC)
    assert manifest.model_version.startswith("0.")
    assert manifest.model_version[-9] == "+"
    for scores in (report.random_folds, report.grouped_folds):
        assert sum(map(sum, scores.confusion)) == 48
        assert {genre: of.support for genre, of in scores.per_genre.items()} == dict.fromkeys(GENRES, 16)
        assert "4 " in scores.split
    assert report.random_folds.accuracy > 0.7
    assert (report.songs_without_label, report.labels_without_song, report.rows_with_missing_values) == (
        0,
        0,
        0,
    )
    assert load_ensemble(tmp_path / "model").manifest == manifest


def test_grouped_scores_are_told_for_pseudo_artists_of_three_sizes(
    files: TrainingFiles, tmp_path: Path
) -> None:
    # given: 16 songs of each of 3 genres, too few for other than 2 clusters a genre
    metrics = train_quickly(files, tmp_path / "model").manifest.metrics

    small, usual, large = metrics.grouping_sensitivity
    assert [size.songs_per_group for size in (small, usual, large)] == [10, 14, 25]
    assert [size.groups for size in (small, usual, large)] == [6, 6, 6]
    for field in ("accuracy", "macro_f1", "log_loss", "calibration_error"):
        assert getattr(usual, field) == getattr(metrics.grouped_folds, field)
        # With so few songs the other sizes make the same clusters; they are scored on their own, though.
        assert getattr(small, field) == getattr(large, field) == getattr(usual, field)


def test_the_manifest_has_a_fingerprint_of_each_song(files: TrainingFiles, tmp_path: Path) -> None:
    found = train_quickly(files, tmp_path / "model").manifest.training_data.song_fingerprints

    songs = read_named_songs(files.features, files.labels).songs
    assert list(found) == sorted(fingerprints(songs))
    assert len(set(found)) == 48
    assert {len(fingerprint) for fingerprint in found} == {12}


def test_training_twice_gives_the_same_bytes(files: TrainingFiles, tmp_path: Path) -> None:
    first = train_quickly(files, tmp_path / "first").manifest
    second = train_quickly(files, tmp_path / "second").manifest

    assert hashes_and_scores(first) == hashes_and_scores(second)
    for name in first.files:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_the_number_of_cores_does_not_change_the_model(files: TrainingFiles, tmp_path: Path) -> None:
    first = train_quickly(files, tmp_path / "first").manifest
    with threadpool_limits(limits=1):
        second = train_quickly(files, tmp_path / "second").manifest

    assert first.files == second.files


def test_another_seed_gives_another_model(files: TrainingFiles, tmp_path: Path) -> None:
    first = train_quickly(files, tmp_path / "first").manifest
    second = train_quickly(files, tmp_path / "second", seed=1).manifest

    assert first.model_version != second.model_version
    assert second.parameters.seed == 1


def test_without_lyrics_there_are_no_lexical_scores(files: TrainingFiles, tmp_path: Path) -> None:
    manifest = train_quickly(files, tmp_path / "model", lyrics=False).manifest

    assert manifest.features[-1] == "share_slang"
    assert manifest.training_data.lyrics_sha256 is None
    assert manifest.training_data.lyrics_rows == 0
    assert load_ensemble(tmp_path / "model").extractor.names == manifest.features


def test_an_artist_column_replaces_pseudo_artists(tmp_path: Path) -> None:
    files = write_training_files(tmp_path, artists=True)

    report = train_quickly(files, tmp_path / "model")

    assert report.manifest.training_data.groups == "artists"
    assert report.manifest.training_data.group_count == 15
    assert report.manifest.metrics.grouping_sensitivity == ()
    assert "no artist in two" in report.grouped_folds.split


def test_a_genre_of_one_artist_is_scored_without_it_and_without_a_warning(
    files: TrainingFiles, tmp_path: Path
) -> None:
    # given: all polkas by one band, so that the fold that scores them has none to learn from
    rows = [
        [str(n + 1), GENRES[n % 3], "Polka Band" if n % 3 == 2 else f"{GENRES[n % 3]} {n % 5}"]
        for n in range(48)
    ]
    write_csv(files.labels, ["trackID", "genre", "artist"], rows)

    report = train_quickly(files, tmp_path / "model")

    assert report.grouped_folds.per_genre["polka"].recall == 0


def test_two_genres_are_enough(files: TrainingFiles, tmp_path: Path) -> None:
    lines = files.labels.read_text(encoding="utf-8").splitlines()
    files.labels.write_text("\n".join(line for line in lines if "polka" not in line), encoding="utf-8")

    report = train_quickly(files, tmp_path / "model")

    assert report.manifest.genres == ("ballad", "march")
    assert report.songs_without_label == 16
    assert report.random_folds.accuracy > 0.7


def test_songs_and_labels_without_a_partner_and_incomplete_songs_are_counted(
    files: TrainingFiles, tmp_path: Path
) -> None:
    # given: 48 songs, of which one lacks a value, and three more of which one is labelled twice over
    rows = song_rows(48, seed=3)
    rows[0]["tempo"] = ""
    files.features.write_bytes(song_csv([*rows, rows[1]]))
    with files.labels.open("a", encoding="utf-8") as labels:
        labels.write("\n900,polka\n900,polka\n")

    report = train_quickly(files, tmp_path / "model")

    assert report.rows_with_missing_values == 1
    assert report.labels_without_song == 2
    assert report.songs_without_label == 0
    assert sum(report.manifest.training_data.rows_per_genre.values()) == 47


def test_progress_counts_up_to_the_end(files: TrainingFiles, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []

    train(
        files.features,
        files.labels,
        None,
        tmp_path / "model",
        parameters=QUICK,
        progress=lambda done, total, what: told.append((done, total, what)),
    )

    assert [done for done, _, _ in told] == list(range(21))
    assert [total for _, total, _ in told] == [12] + [20] * 20
    assert told[0][2] == "read the songs"
    assert told[2][2] == "score grouped fold 1"
    assert told[10][2] == "score groups of 10, fold 1"
    assert told[-1][2] == "done"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("trackID\n1\n", "line 1: the column genre is missing"),
        ("", "line 1: the column trackID is missing"),
        ("trackID,genre\n", "has no rows"),
        ("trackID,genre\nx,polka\n", "line 2: trackID is 'x', must be an integer"),
        ("trackID,genre\n1,polka\n2,\n", "line 3: genre is '', must be a name"),
        ("trackID,genre\n1,polka\n1,march\n", "line 3: song 1 has two genres, 'polka' and 'march'"),
        ("trackID,genre\n1,polka,x\n", "line 2: 3 cells, the header has 2"),
        ('trackID,genre\n1,"polka\n', "line 2: unexpected end of data"),
        ("trackID,genre\n999,polka\n", "has the genre of no song of"),
        ("trackID,genre\n" + "".join(f"{n},polka\n" for n in range(1, 40)), "has one genre only, 'polka'"),
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
def test_wrong_labels_are_refused_with_place_and_reason(
    files: TrainingFiles, tmp_path: Path, labels: str, message: str
) -> None:
    files.labels.write_text(labels, encoding="utf-8")

    with pytest.raises(TrainingDataError) as refused:
        train_quickly(files, tmp_path / "model")

    assert str(refused.value).startswith(str(files.labels))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "model").exists()


def test_labels_that_are_no_text_are_refused(files: TrainingFiles, tmp_path: Path) -> None:
    files.labels.write_bytes(b"trackID,genre\n1,\xff\n")

    with pytest.raises(TrainingDataError, match="is not UTF-8"):
        train_quickly(files, tmp_path / "model")


@pytest.mark.parametrize("missing", ["features", "labels", "lyrics"])
def test_a_file_that_is_not_there_is_named(files: TrainingFiles, tmp_path: Path, missing: str) -> None:
    path: Path = getattr(files, missing)
    path.unlink()

    with pytest.raises(TrainingDataError, match="cannot be read: No such file"):
        train_quickly(files, tmp_path / "model")


def test_a_wrong_song_file_is_refused_with_its_first_problem(files: TrainingFiles, tmp_path: Path) -> None:
    rows = song_rows(48)
    rows[4]["tempo"] = "asd"
    files.features.write_bytes(song_csv(rows))

    with pytest.raises(TrainingDataError, match=r"features\.csv: .*Line 6.*tempo.*asd"):
        train_quickly(files, tmp_path / "model")


def test_a_song_file_without_complete_songs_is_refused(files: TrainingFiles, tmp_path: Path) -> None:
    rows = song_rows(3)
    for row in rows:
        row["tempo"] = ""
    files.features.write_bytes(song_csv(rows))

    with pytest.raises(TrainingDataError, match="has no complete song"):
        train_quickly(files, tmp_path / "model")


def test_lyrics_of_one_genre_are_refused(files: TrainingFiles, tmp_path: Path) -> None:
    write_csv(files.lyrics, ["genre", "tags"], [["Pop", "love"], ["Pop", "night"], ["Rock", " , "]])

    with pytest.raises(TrainingDataError, match="fewer than two genres with lyrics"):
        train_quickly(files, tmp_path / "model")


def test_a_folder_of_other_things_is_refused_before_training(files: TrainingFiles, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear", encoding="utf-8")

    with pytest.raises(ArtifactError, match="is there and is no model"):
        train_quickly(files, tmp_path / "mine")

    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_the_temperature_brings_confidence_to_the_share_of_right_answers() -> None:
    # given: a model that says 99.9 %, and 80 % of the same songs without words; it is right with 3 of 4
    logits, wordless = np.array([[math.log(999), 0.0]] * 4), np.array([[math.log(4), 0.0]] * 4)
    evidence = np.full(4, 0.9)

    temperature = fit_temperature(logits, wordless, evidence, np.array([0, 0, 0, 1]))

    with_words = softmax(logits / temperature.at(evidence)[:, None])
    assert with_words[0, 0] == pytest.approx(0.75, abs=1e-3)
    assert softmax(wordless / temperature.without_words)[0, 0] == pytest.approx(0.75, abs=1e-3)


def test_the_temperature_goes_by_the_weight_of_words() -> None:
    temperature = Temperature(without_words=1.0, with_words=4.0)

    assert temperature.at(np.array([0.0, 0.5, 1.0])).tolist() == pytest.approx([1.0, 2.0, 4.0])


def test_softmax_takes_log_odds_of_any_size() -> None:
    np.testing.assert_array_equal(softmax(np.array([[1e4, 0.0], [-1e4, -1e4]])), [[1, 0], [0.5, 0.5]])
