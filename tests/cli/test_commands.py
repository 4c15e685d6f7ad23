"""`genregraph demo`, `migrate`, `schema`, `sample-data` and `train`."""

from __future__ import annotations

import filecmp
from pathlib import Path

import pytest

from app import __version__, resource
from app.database.migrate import known_revisions
from ml.model.artifact import load_ensemble
from ml.songs.csv_songs import SongFile
from tests.support.command import run, write
from tests.support.songs import song_csv, song_row

SAMPLE = resource("data") / "sample"


def test_version() -> None:
    assert run("--version") == (0, f"genregraph {__version__}\n")


def test_demo_classifies_the_sample_and_prints_counts_genres_and_songs(folder: Path) -> None:
    # given a previous demo with another song
    other = write(folder / "other.csv", song_csv([song_row(trackID="1")]))
    assert run("demo", "--file", other, GENREGRAPH_DATA_DIR=str(folder))[0] == 0
    # when
    code, output = run("demo", GENREGRAPH_DATA_DIR=str(folder))
    # then
    assert code == 0
    assert (
        "songs.csv: 428 rows, 414 songs stored (12 rows with missing values, 0 invalid, 2 repeated)" in output
    )
    assert "soul and reggae" in output
    assert "confidence" in output
    assert "A song" not in output
    assert "Next: start the service with `genregraph serve`" in output


def test_demo_fails_for_an_invalid_file(folder: Path) -> None:
    file = write(folder / "songs.csv", song_csv([song_row(tempo="asd")]))
    code, output = run("demo", "--file", file, GENREGRAPH_DATA_DIR=str(folder))
    assert code == 1
    assert "'asd'" in output


def test_migrate_prints_the_revision(empty_database_url: str) -> None:
    expected = (0, f"The database is at revision {known_revisions()[0]}.\n")
    assert run("migrate", GENREGRAPH_DATABASE_URL=empty_database_url) == expected


def test_migrate_without_a_database_is_a_usage_error() -> None:
    code, output = run("migrate", GENREGRAPH_DATABASE_URL="")
    assert code == 2
    assert "set GENREGRAPH_DATABASE_URL" in output


def test_schema_prints_or_writes_the_sdl(tmp_path: Path) -> None:
    expected = (resource("schema.graphql")).read_text(encoding="utf-8")
    assert run("schema") == (0, expected)
    run("schema", "--out", tmp_path / "schema.graphql")
    assert (tmp_path / "schema.graphql").read_text(encoding="utf-8") == expected


def test_sample_data_writes_the_committed_files(tmp_path: Path) -> None:
    code, output = run("sample-data", "--out", tmp_path / "new")
    assert (code, "Wrote features.csv, labels.csv and songs.csv" in output) == (0, True)
    names = ["features.csv", "labels.csv", "songs.csv"]
    assert filecmp.cmpfiles(SAMPLE, tmp_path / "new", names, shallow=False) == (names, [], [])


def test_train_prints_the_scores_of_both_kinds_of_folds_and_writes_a_model_that_serves(
    tmp_path: Path, folder: Path
) -> None:
    # given: few rounds, so that it is done soon
    parameters = write(tmp_path / "parameters.json", b'{"parameters": {"rounds": 5}}')
    # when
    code, output = run(
        *("train", "--features", SAMPLE / "features.csv", "--labels", SAMPLE / "labels.csv"),
        *("--parameters", parameters, "--out", tmp_path / "model"),
    )
    # then
    assert code == 0
    for text in ("random folds", "artist-grouped folds", "accuracy", "macro-F1", "soul and", "Model 0.1.0+"):
        assert text in output
    ensemble = load_ensemble(tmp_path / "model")
    assert sum(ensemble.manifest.training_data.rows_per_genre.values()) == 1_200
    scores = ensemble.manifest.metrics
    assert scores.random_folds.accuracy > scores.grouped_folds.accuracy > 0.3  # chance is 0.125
    # and the model serves, and finds all genres in other songs
    mine = {"GENREGRAPH_DATA_DIR": str(folder), "GENREGRAPH_MODEL_DIR": str(tmp_path / "model")}
    assert run("demo", **mine)[0] == 0
    with (SAMPLE / "songs.csv").open("rb") as file:
        songs = next(iter(SongFile(file, name="songs.csv").chunks()))
    assert len(set(ensemble.classify(songs).probabilities.argmax(axis=1).tolist())) == 8


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"trackID,genre\nx,folk\n"])
def test_train_reports_invalid_files(tmp_path: Path, content: bytes) -> None:
    labels = write(tmp_path / "labels.csv", content)
    code, output = run(
        "train", "--features", SAMPLE / "features.csv", "--labels", labels, "--out", tmp_path / "model"
    )
    assert code == 1
    assert "labels.csv" in output
    assert not (tmp_path / "model").exists()
