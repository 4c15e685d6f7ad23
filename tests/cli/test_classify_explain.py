"""`genregraph classify --explain`."""

from __future__ import annotations

import json
from pathlib import Path

from app import resource
from ml.model.artifact import load_ensemble
from ml.model.explanation import explain
from ml.songs.csv_songs import SongFile
from tests.conftest import StartService
from tests.support.batches import verify
from tests.support.client import ApiClient
from tests.support.command import run, write
from tests.support.songs import song_csv, song_row, song_rows

STORED = "{ songs { totalCount } batches { totalCount nodes { fileName rowsUncertain } } }"


def classify(api: ApiClient, *arguments: object) -> tuple[int, str]:
    return run("classify", *arguments, "--explain", "--url", f"{api.url}/graphql", COLUMNS="200")


def test_songs_are_stored_and_printed_with_their_explanations(api: ApiClient, tmp_path: Path) -> None:
    # given
    rows = [
        *song_rows(30),
        song_row(trackID="31", tempo=""),
        song_row(trackID="30", title="[b]La Última[/b]"),
    ]
    file = write(tmp_path / "songs.csv", song_csv(rows))
    # when
    code, output = classify(api, file, "--songs", 40)
    # then
    assert code == 0
    assert "songs.csv: 32 rows, 30 songs stored (1 row with missing values, 0 invalid, 1 repeated)" in output
    with file.open("rb") as content:
        (songs,) = SongFile(content, name="songs.csv").chunks()
    ensemble = load_ensemble(resource("model"))
    genres = [ensemble.genres[genre] for genre in ensemble.classify(songs).probabilities.argmax(axis=1)]
    reasons = explain(ensemble, songs, genres)
    for row in range(29):
        assert songs.titles[row] in output
        for reason in reasons.strongest(row, 5):
            assert f"{reason.contribution:+.2f} {reason.text}" in output
    assert "[b]La Última[/b]" in output
    assert rows[29]["title"] not in output
    assert api.execute(STORED) == {
        "songs": {"totalCount": 30},
        "batches": {"totalCount": 1, "nodes": [{"fileName": "songs.csv", "rowsUncertain": 0}]},
    }


def test_twenty_songs_are_printed_by_default(api: ApiClient, tmp_path: Path) -> None:
    file = write(tmp_path / "songs.csv", song_csv(song_rows(25)))
    titles = sorted(row["title"] for row in song_rows(25))
    for arguments, printed in (((), 20), (("--songs", "3"), 3), (("--songs", "25"), 25)):
        code, output = classify(api, file, *arguments)
        assert code == 0
        assert [title for title in titles if f" {title} " in output] == titles[:printed]
        assert (f"The first {printed} of 25 songs; --songs 25 prints all." in output) is (printed < 25)


def test_uncertain_songs_are_marked(api: ApiClient, tmp_path: Path) -> None:
    file = write(tmp_path / "songs.csv", song_csv(song_rows(4)))
    code, output = classify(api, file, "--min-confidence", "1")
    assert code == 0
    assert "4 of them uncertain (confidence below 1)" in output
    assert output.count(" uncertain ") == 4 + 1
    assert api.execute(STORED)["batches"]["nodes"] == [{"fileName": "songs.csv", "rowsUncertain": 4}]


def test_explanations_are_those_of_the_prediction_after_a_verification(
    api: ApiClient, tmp_path: Path
) -> None:
    file = write(tmp_path / "songs.csv", song_csv(song_rows(1)))
    _, _, before = classify(api, file)[1].partition("title")
    verify(api, {1: "polka"})

    _, _, after = classify(api, file)[1].partition("title")

    assert after == before != ""


def test_explanations_are_fetched_page_by_page(api: ApiClient, tmp_path: Path) -> None:
    file = write(tmp_path / "songs.csv", song_csv(song_rows(130)))
    code, output = classify(api, file, "--songs", 120, "--json")
    (result,) = json.loads(output)
    explanations = [song["explanation"] for song in result["batch"]["songs"]]
    assert (code, len(explanations), {len(one) for one in explanations}) == (0, 120, {5})


def test_a_service_that_keeps_no_features_explains_nothing(
    start_service: StartService, tmp_path: Path
) -> None:
    api = start_service(keep_features=False)
    file = write(tmp_path / "songs.csv", song_csv(song_rows(2)))
    code, output = classify(api, file)
    assert (code, output.count("none: the service does not keep features")) == (0, 2)
