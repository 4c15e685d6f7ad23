"""`genregraph bulk`, from files to its output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr

from tests.conftest import StartService
from tests.ml.bulk.conftest import RunBulk
from tests.support.batches import drift_of
from tests.support.bulk_files import manifest_of, songs_in, write_csv, write_parquet
from tests.support.client import ApiClient
from tests.support.command import run
from tests.support.songs import sample_rows, song_csv, song_row, song_rows, strange

SONGS = """
query ($id: ID!) {
  batch(id: $id) {
    songs(first: 1000) { nodes { trackId title confidence genre { name }} }
  }
}
"""


def genres_of(songs: list[dict[str, Any]]) -> dict[int, tuple[str, str, float]]:
    return {song["trackID"]: (song["title"], song["genre"], song["confidence"]) for song in songs}


def test_csv_parquet_and_the_api_give_equal_results(
    bulk: RunBulk, api: ApiClient, tmp_path: Path, output: Path
) -> None:
    # given
    rows = song_rows(120)
    write_csv(tmp_path / "songs.csv", rows)
    write_parquet(tmp_path / "songs.parquet", rows, row_group_size=50)
    # when
    for name in ("csv", "parquet"):
        code, printed = bulk(str(tmp_path / f"songs.{name}"), "--output", str(output / name))
        assert code == 0, printed
    batch = api.classify(song_csv(rows))
    # then
    nodes = api.execute(SONGS, id=batch["id"])["batch"]["songs"]["nodes"]
    by_api = {int(n["trackId"]): (n["title"], n["genre"]["name"], n["confidence"]) for n in nodes}
    assert len(by_api) == 120
    assert genres_of(songs_in(output / "csv")) == by_api
    assert genres_of(songs_in(output / "parquet")) == by_api
    (part,) = manifest_of(output / "csv")["parts"]
    assert part == {"name": "part-00000.parquet", "songs": 120}
    assert pq.read_table(output / "csv" / part["name"]).num_rows == 120


def test_local_processes_classify_the_files_of_a_pattern(tmp_path: Path, output: Path) -> None:
    # given
    write_csv(tmp_path / "a.csv", song_rows(30))
    write_csv(tmp_path / "b.csv", [song_row(trackID=str(n)) for n in range(1_000, 1_020)])
    # when
    pattern = f"file://{tmp_path}/*.csv"
    code, printed = run("bulk", pattern, "--output", str(output), "--workers", "2")
    # then
    assert code == 0, printed
    assert len(songs_in(output)) == 50


def test_an_invalid_row_anywhere_prevents_any_output(bulk: RunBulk, tmp_path: Path, output: Path) -> None:
    # given
    write_csv(tmp_path / "a.csv", song_rows(30))
    write_csv(tmp_path / "b.csv", [song_row(trackID="77"), song_row(tempo="asd")])
    report = tmp_path / "report.json"
    # when
    files = (str(tmp_path / "a.csv"), str(tmp_path / "b.csv"))
    code, printed = bulk(*files, "--output", str(output), "--report", str(report))
    # then
    assert code == 1
    assert "b.csv: Line 3, column tempo: expected a number" in printed.replace("\n", " ")
    assert "Nothing was written." in printed
    assert not output.exists() or not list(output.iterdir())
    assert "asd" in report.read_text()


def test_invalid_rows_can_be_skipped(bulk: RunBulk, tmp_path: Path, output: Path) -> None:
    write_csv(tmp_path / "a.csv", [*song_rows(30), song_row(trackID="99", tempo="asd")])
    report = tmp_path / "report.json"

    code, printed = bulk(
        *(str(tmp_path / "a.csv"), "--output", str(output), "--on-invalid-row", "skip_row"),
        *("--report", str(report)),
    )

    assert code == 0, printed
    assert len(songs_in(output)) == 30
    assert json.loads(report.read_text())["rowsInvalid"] == 1


def test_rows_with_missing_values_can_be_classified(
    bulk: RunBulk, api: ApiClient, database_url: str, tmp_path: Path, output: Path
) -> None:
    # given a CSV file with missing columns, and a Parquet file
    rows = [song_row(trackID="1", tempo=""), *song_rows(3)[1:]]
    columns = ["trackID", "title", "tags", "loudness", "tempo"]
    (tmp_path / "a.csv").write_bytes(song_csv(rows, columns=columns))
    write_parquet(tmp_path / "b.parquet", [song_row(trackID="4", key=""), song_row(trackID="5")])
    files = (str(tmp_path / "a.csv"), str(tmp_path / "b.parquet"))
    report = tmp_path / "report.json"
    # when
    for target in (str(output), database_url):
        arguments = ("--on-missing-value", "classify", "--report", str(report))
        code, printed = bulk(*files, "--output", target, *arguments)
        assert code == 0, printed
    # then
    assert "│ classified with missing values" in printed
    assert json.loads(report.read_text())["rowsClassifiedWithMissingValues"] == 4
    assert manifest_of(output)["rowsClassifiedWithMissingValues"] == 4
    stored = api.execute("{ songs { nodes { trackId genre { name } } } }")["songs"]["nodes"]
    assert {song["trackId"]: song["genre"]["name"] for song in stored} == {
        str(song["trackID"]): song["genre"] for song in songs_in(output)
    }
    assert len(stored) == 5


def test_the_last_row_of_a_repeated_song_wins_across_files(
    bulk: RunBulk, tmp_path: Path, output: Path
) -> None:
    # given
    write_csv(tmp_path / "a.csv", [song_row(trackID="1", title="old"), song_row(trackID="2", title="only")])
    write_parquet(tmp_path / "b.parquet", [song_row(trackID="1", title="new")])
    # when
    code, printed = bulk(str(tmp_path / "a.csv"), str(tmp_path / "b.parquet"), "--output", str(output))
    # then
    assert code == 0, printed
    assert {song["trackID"]: song["title"] for song in songs_in(output)} == {1: "new", 2: "only"}
    assert manifest_of(output)["rowsDuplicated"] == 1


def test_songs_outside_the_training_range_are_counted(
    bulk: RunBulk, start_service: StartService, database_url: str, tmp_path: Path, output: Path
) -> None:
    # given 40 songs, one of them in both files
    rows = sample_rows(40)
    near, far = rows[:30], [*map(strange, rows[30:]), strange(rows[0])]
    write_csv(tmp_path / "a.csv", near)
    write_parquet(tmp_path / "b.parquet", far)
    api = start_service(clients=SecretStr("test:test:admin"))
    report = tmp_path / "report.json"
    # when
    for target in (str(output), database_url):
        files = (str(tmp_path / "a.csv"), str(tmp_path / "b.parquet"))
        code, printed = bulk(*files, "--output", target, "--report", str(report))
        assert code == 0, printed
    in_one_go = api.classify(song_csv([*near, *far]))
    # then
    drift = {group["group"]: group["songsOutside"] for group in drift_of(api, in_one_go["id"])}
    assert drift["AUDIO"] == 11
    assert manifest_of(output)["songsOutsideTrainingRange"] == drift
    of_files = [
        file["songsOutsideTrainingRange"]["AUDIO"] for file in json.loads(report.read_text())["files"]
    ]
    assert of_files == [0, 11]
    assert "│ with audio outside of the training range    │ 11 │" in printed
    stored = api.execute("{ batches { nodes { id fileName } } }")["batches"]["nodes"]
    (of_bulk,) = (batch["id"] for batch in stored if batch["fileName"] == "a.csv and 1 more")
    assert drift_of(api, of_bulk) == drift_of(api, in_one_go["id"])


def test_songs_are_stored_in_the_database_of_a_service(
    bulk: RunBulk, start_service: StartService, database_url: str, tmp_path: Path
) -> None:
    # given an admin, who can see other clients' batches
    api = start_service(clients=SecretStr("test:test:admin"))
    api.classify(song_csv([song_row(trackID="1", title="before"), song_row(trackID="5000")]))
    write_csv(tmp_path / "a.csv", song_rows(60))
    write_csv(tmp_path / "b.csv", [song_row(trackID="2", title="last")])
    # when
    code, printed = bulk(str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), "--output", database_url)
    # then
    assert code == 0, printed
    stored = api.execute(
        """{
          genres { songCount }
          songs(titleContains: "last") { nodes { trackId } }
          batches(first: 1) {
            nodes { status fileName rowsUploaded rowsProcessed rowsClassified rowsDuplicated }
          }
        }"""
    )
    assert sum(genre["songCount"] for genre in stored["genres"]) == 61
    assert stored["songs"]["nodes"] == [{"trackId": "2"}]
    assert stored["batches"]["nodes"] == [
        {
            "status": "SUCCEEDED",
            "fileName": "a.csv and 1 more",
            "rowsUploaded": 61,
            "rowsProcessed": 61,
            "rowsClassified": 60,
            "rowsDuplicated": 1,
        }
    ]


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "not kept"])
def test_features_are_kept_according_to_the_setting(  # noqa: PLR0913, PLR0917 - fixtures
    bulk: RunBulk,
    api: ApiClient,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kept: bool,
) -> None:
    # given
    explanations = "{ songs { nodes { trackId explanation { feature contribution } } } }"
    rows = song_rows(3)
    api.classify(song_csv(rows))
    by_api = api.execute(explanations)["songs"]["nodes"]
    write_csv(tmp_path / "a.csv", rows)
    monkeypatch.setenv("GENREGRAPH_KEEP_FEATURES", str(kept))
    # when
    code, printed = bulk(str(tmp_path / "a.csv"), "--output", database_url)
    # then
    assert code == 0, printed
    by_bulk = api.execute(explanations)["songs"]["nodes"]
    assert by_bulk == [song if kept else {**song, "explanation": None} for song in by_api]


def test_a_rejected_run_stores_nothing(
    bulk: RunBulk, api: ApiClient, database_url: str, tmp_path: Path
) -> None:
    write_csv(tmp_path / "a.csv", [*song_rows(30), song_row(tempo="asd")])

    code, printed = bulk(str(tmp_path / "a.csv"), "--output", database_url)

    assert code == 1, printed
    assert api.execute("{ genres { name } batches { totalCount } }") == {
        "genres": [],
        "batches": {"totalCount": 0},
    }


def test_a_database_without_tables_is_reported(
    bulk: RunBulk, empty_database_url: str, tmp_path: Path
) -> None:
    write_csv(tmp_path / "a.csv", song_rows(3))

    code, printed = bulk(str(tmp_path / "a.csv"), "--output", empty_database_url)

    assert code == 1
    assert "genregraph migrate" in printed


@pytest.mark.parametrize(
    ("file", "words"),
    [("missing.csv", "missing.csv"), ("songs.txt", ".csv or .parquet"), ("broken.parquet", "broken.parquet")],
)
def test_unusable_files_are_rejected(
    bulk: RunBulk, tmp_path: Path, output: Path, file: str, words: str
) -> None:
    (tmp_path / "songs.txt").write_text("a,b\n1,2\n")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")

    code, printed = bulk(str(tmp_path / file), "--output", str(output))

    assert code in {1, 2}
    assert words in printed.replace("\n", " ")
    assert "Traceback" not in printed
    assert not output.exists() or not list(output.iterdir())


def test_an_earlier_output_is_replaced_only_with_overwrite(
    bulk: RunBulk, tmp_path: Path, output: Path
) -> None:
    write_csv(tmp_path / "a.csv", song_rows(3))
    write_csv(tmp_path / "b.csv", song_rows(5))
    assert bulk(str(tmp_path / "a.csv"), "--output", str(output))[0] == 0

    code, printed = bulk(str(tmp_path / "b.csv"), "--output", str(output))

    assert code == 2
    assert "--overwrite" in printed
    assert len(songs_in(output)) == 3
    assert bulk(str(tmp_path / "b.csv"), "--output", str(output), "--overwrite")[0] == 0
    assert len(songs_in(output)) == 5


def test_unreachable_services_exit_with_3(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", song_rows(3))
    nowhere = "postgresql://nobody:nothing@127.0.0.1:1/none"

    code, printed = run("bulk", str(tmp_path / "a.csv"), "--output", nowhere)

    assert code == 3
    assert "nothing" not in printed.replace("nothing was", "")
    assert "Traceback" not in printed
