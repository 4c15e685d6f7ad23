"""`genregraph classify --explain`."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.resources import resource
from ml.model.artifact import load_ensemble
from ml.model.explanation import explain
from ml.songs.csv_songs import SongFile
from tests.cli.command import run
from tests.support.batches import verify
from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_row, song_rows

STORED = "{ songs { totalCount } batches { totalCount nodes { fileName rowsUncertain } } }"

EVERYTHING = """
{ songs(first: 1000) { nodes { trackId title genre { name } confidence probabilities { probability } } } }
"""


def classify(api: ApiClient, *arguments: object) -> tuple[int, str]:
    return run("classify", *arguments, "--explain", "--url", f"{api.url}/graphql", COLUMNS="200")


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_the_songs_are_stored_and_printed_with_their_reasons(api: ApiClient, tmp_path: Path) -> None:
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
    genres = [ensemble.genres[genre] for genre in ensemble.predict(songs).argmax(axis=1)]
    reasons = explain(ensemble, songs, genres)
    for row in range(29):
        assert songs.titles[row] in output
        for reason in reasons.strongest(row, 5):
            assert f"{reason.contribution:+.2f} {reason.text}" in output
    assert "[b]La Última[/b]" in output
    assert rows[29]["title"] not in output
    assert api.execute(STORED) == {
        "songs": {"totalCount": 30},
        "batches": {"totalCount": 1, "nodes": [{"fileName": None, "rowsUncertain": 0}]},
    }


def test_a_song_gets_what_it_gets_without_explaining(api: ApiClient, tmp_path: Path) -> None:
    # given tags with and without blanks, and a title in other letters
    rows = [*song_rows(20), song_row(trackID="50", title="Ça, “va”?", tags="love, night ,, que,amor")]
    file = write(tmp_path / "songs.csv", song_csv(rows))
    run("classify", file, "--url", f"{api.url}/graphql")
    before = api.execute(EVERYTHING)
    # when
    assert classify(api, file)[0] == 0
    # then
    assert api.execute(EVERYTHING) == before


def test_twenty_songs_are_printed_unless_another_number_is_asked_for(api: ApiClient, tmp_path: Path) -> None:
    file = write(tmp_path / "songs.csv", song_csv(song_rows(25)))
    titles = [row["title"] for row in song_rows(25)]
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
    assert api.execute(STORED)["batches"]["nodes"] == [{"fileName": None, "rowsUncertain": 4}]


def test_a_refused_file_is_told_by_line_and_the_rest_is_sent(api: ApiClient, tmp_path: Path) -> None:
    # given
    wrong = write(tmp_path / "wrong.csv", song_csv([song_row(), song_row(tempo="asd")]))
    right = write(tmp_path / "right.csv", song_csv([song_row()]))
    # when
    code, output = classify(api, wrong, right)
    # then it says what the service says
    assert code == 1
    assert "wrong.csv: The song file is invalid: Line 3" in output
    assert run("classify", wrong, "--url", f"{api.url}/graphql", COLUMNS="200")[1].strip() in output
    assert "right.csv: 1 row, 1 song stored" in output
    assert api.execute(STORED)["songs"] == {"totalCount": 1}


def test_wrong_rows_can_be_skipped(api: ApiClient, tmp_path: Path) -> None:
    rows = [song_row(), song_row(trackID="2", tempo="asd"), song_row(trackID="3", key="")]
    file = write(tmp_path / "songs.csv", song_csv(rows))
    code, output = classify(api, file, "--skip-invalid-rows")
    assert code == 0
    assert "3 rows, 1 song stored (1 row with missing values, 1 invalid, 0 repeated)" in output


def test_rows_with_missing_values_get_what_they_get_without_explaining(
    api: ApiClient, tmp_path: Path
) -> None:
    # given a file without tags and most audio features
    columns = ["trackID", "title", "tempo", "key", "vect_1", "vect_2"]
    rows = [song_row(), song_row(trackID="2", tempo="", vect_2="na")]
    file = write(tmp_path / "songs.csv", song_csv(rows, columns=columns))
    option = ("--on-missing-value", "classify")
    run("classify", file, *option, "--url", f"{api.url}/graphql")
    before = api.execute(EVERYTHING)
    # when
    code, output = classify(api, file, *option)
    # then
    assert code == 0
    assert "2 rows, 2 songs stored (0 rows with missing values, 0 invalid, 0 repeated)" in output
    assert "2 rows classified despite missing values" in output
    assert len(before["songs"]["nodes"]) == 2
    assert api.execute(EVERYTHING) == before


def test_a_file_of_rows_with_missing_values_alone_sends_nothing(api: ApiClient, tmp_path: Path) -> None:
    file = write(tmp_path / "songs.csv", song_csv([song_row(key="")]))
    code, output = classify(api, file)
    assert code == 0
    assert "1 row, 0 songs stored (1 row with missing values, 0 invalid, 0 repeated)" in output
    assert api.execute(STORED)["batches"]["totalCount"] == 0


@pytest.mark.parametrize(("rows", "expected"), [(1_000, 0), (1_001, 2)])
def test_more_than_a_thousand_rows_are_wrong_usage_and_nothing_is_sent(
    api: ApiClient, tmp_path: Path, rows: int, expected: int
) -> None:
    # given
    small = write(tmp_path / "small.csv", song_csv([song_row(trackID="5000")]))
    large = write(tmp_path / "large.csv", song_csv(song_rows(rows)))
    # when
    code, output = classify(api, small, large)
    # then
    assert code == expected
    assert ("large.csv: --explain takes at most 1,000 rows a file and this has more" in output) is bool(
        expected
    )
    assert api.execute(STORED)["songs"]["totalCount"] == (0 if expected else 1_001)


def test_it_ends_with_3_where_it_may_not_or_cannot_go(api: ApiClient, tmp_path: Path) -> None:
    file = write(tmp_path / "songs.csv", song_csv([song_row()]))
    code, output = classify(api, file, "--client-secret", "guess")
    assert (code, "The client-id or client-secret is wrong." in output) == (3, True)
    code, output = run("classify", file, "--explain", "--url", "http://127.0.0.1:9/graphql", "--retries", 0)
    assert (code, "http://127.0.0.1:9/graphql cannot be reached" in output) == (3, True)


def test_the_reasons_are_those_of_the_prediction_whatever_people_verified(
    api: ApiClient, tmp_path: Path
) -> None:
    file = write(tmp_path / "songs.csv", song_csv(song_rows(1)))
    _, _, before = classify(api, file)[1].partition("title")
    verify(api, {1: "polka"})

    _, _, after = classify(api, file)[1].partition("title")

    assert after == before != ""
