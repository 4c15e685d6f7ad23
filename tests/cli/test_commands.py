"""The commands that end: classify, demo, migrate, schema, sample-data, train."""

from __future__ import annotations

import filecmp
from pathlib import Path

import pytest

from app import __version__
from app.database.migrate import head_revision
from app.resources import resource
from tests.cli.command import run
from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_row, song_rows

SAMPLE = resource("data") / "sample"


def classify(api: ApiClient, *arguments: object) -> tuple[int, str]:
    return run("classify", *arguments, "--url", f"{api.url}/graphql")


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_version() -> None:
    assert run("--version") == (0, f"genregraph {__version__}\n")


def test_classify_sends_files_and_prints_what_was_stored(api: ApiClient, tmp_path: Path) -> None:
    # given
    rows = [*song_rows(30), song_row(trackID="31", tempo=""), song_row(trackID="30")]
    first = write(tmp_path / "first.csv", song_csv(rows))
    second = write(tmp_path / "second.csv", song_csv([song_row(trackID="99")]))
    # when
    code, output = classify(api, first, second)
    # then
    assert code == 0
    assert "first.csv: 32 rows, 30 songs stored (1 row with missing values, 0 invalid, 1 repeated)" in output
    assert "second.csv: 1 row, 1 song stored" in output
    assert api.execute("{ songs { totalCount } }") == {"songs": {"totalCount": 31}}


def test_classify_prints_what_is_wrong_and_ends_with_1_but_sends_the_rest(
    api: ApiClient, tmp_path: Path
) -> None:
    wrong = write(tmp_path / "wrong.csv", song_csv([song_row(), song_row(tempo="asd")]))
    right = write(tmp_path / "right.csv", song_csv([song_row()]))
    code, output = classify(api, wrong, right)
    assert code == 1
    assert "Line 3" in output
    assert "'asd'" in output
    assert "right.csv: 1 row, 1 song stored" in output


def test_classify_can_skip_wrong_rows(api: ApiClient, tmp_path: Path) -> None:
    file = write(tmp_path / "songs.csv", song_csv([song_row(), song_row(trackID="2", tempo="asd")]))
    code, output = classify(api, file, "--skip-invalid-rows")
    assert code == 0
    assert "2 rows, 1 song stored (0 rows with missing values, 1 invalid, 0 repeated)" in output


def test_classify_prints_how_many_songs_are_uncertain(api: ApiClient, tmp_path: Path) -> None:
    # given
    file = write(tmp_path / "songs.csv", song_csv(song_rows(30)))
    code, output = classify(api, file)
    assert (code, "uncertain" in output) == (0, False)
    # when
    code, output = classify(api, file, "--min-confidence", "1")
    # then
    assert code == 0
    assert "30 of them uncertain (confidence below 1)" in output
    assert api.execute("{ songs(confident: false) { totalCount } }") == {"songs": {"totalCount": 30}}


@pytest.mark.parametrize("minimum", ["1.5", "-0.1", "nan", "half"])
def test_classify_ends_with_2_for_a_minimum_that_is_no_probability(
    api: ApiClient, tmp_path: Path, minimum: str
) -> None:
    file = write(tmp_path / "songs.csv", song_csv([song_row()]))
    code, output = classify(api, file, "--min-confidence", minimum)
    assert (code, "--min-confidence" in output) == (2, True)
    assert api.execute("{ batches { totalCount } }") == {"batches": {"totalCount": 0}}


def test_classify_ends_with_2_for_a_file_that_is_not_there(api: ApiClient) -> None:
    assert classify(api, "nowhere.csv")[0] == 2


def test_classify_ends_with_3_where_it_may_not_or_cannot_go(api: ApiClient, tmp_path: Path) -> None:
    file = write(tmp_path / "songs.csv", song_csv([song_row()]))
    code, output = classify(api, file, "--client-secret", "guess")
    assert (code, "The client-id or client-secret is wrong." in output) == (3, True)
    code, output = run("classify", file, "--url", "http://127.0.0.1:9/graphql", "--retries", 0)
    assert (code, "http://127.0.0.1:9/graphql cannot be reached" in output) == (3, True)
    code, output = classify(api, file, "--client-id", "nightly", "--client-secret", "second")
    assert code == 0


def test_demo_classifies_the_sample_and_prints_counts_genres_and_songs(folder: Path) -> None:
    # given a demo that classified another song before
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


def test_demo_fails_with_a_file_that_is_refused(folder: Path) -> None:
    file = write(folder / "songs.csv", song_csv([song_row(tempo="asd")]))
    code, output = run("demo", "--file", file, GENREGRAPH_DATA_DIR=str(folder))
    assert code == 1
    assert "'asd'" in output


def test_migrate_tells_the_revision_reached(empty_database_url: str) -> None:
    expected = (0, f"The database is at revision {head_revision()}.\n")
    assert run("migrate", GENREGRAPH_DATABASE_URL=empty_database_url) == expected


def test_migrate_without_a_database_is_wrong_usage() -> None:
    code, output = run("migrate", GENREGRAPH_DATABASE_URL="")
    assert code == 2
    assert "set GENREGRAPH_DATABASE_URL" in output


def test_schema_prints_and_writes_the_sdl(tmp_path: Path) -> None:
    expected = (resource("schema.graphql")).read_text(encoding="utf-8")
    assert run("schema") == (0, expected)
    run("schema", "--out", tmp_path / "schema.graphql")
    assert (tmp_path / "schema.graphql").read_text(encoding="utf-8") == expected


def test_sample_data_writes_the_files_that_are_committed(tmp_path: Path) -> None:
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
    for said in ("random folds", "artist-grouped folds", "accuracy", "macro-F1", "soul and", "Model 0.1.0+"):
        assert said in output
    mine = {"GENREGRAPH_DATA_DIR": str(folder), "GENREGRAPH_MODEL_DIR": str(tmp_path / "model")}
    assert run("demo", **mine)[0] == 0


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"trackID,genre\nx,folk\n"])
def test_train_tells_what_is_wrong_with_its_files(tmp_path: Path, content: bytes) -> None:
    labels = write(tmp_path / "labels.csv", content)
    code, output = run(
        "train", "--features", SAMPLE / "features.csv", "--labels", labels, "--out", tmp_path / "model"
    )
    assert code == 1
    assert "labels.csv" in output
    assert not (tmp_path / "model").exists()
