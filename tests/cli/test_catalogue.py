"""Commands that list, show, download, cancel and delete, with a real service."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli.root import cli
from tests.conftest import StartService
from tests.support.client import ApiClient
from tests.support.command import run_for
from tests.support.programs import GENREGRAPH
from tests.support.scripted_server import Answer, scripted_server, stored_batch
from tests.support.songs import song_csv, song_row, song_rows

WILD = "\x1b]0;owned\x07\x1b[31m\x9b2J[b]\N{RIGHT-TO-LEFT OVERRIDE}"


def printed(api: ApiClient, *arguments: object) -> str:
    code, out, error = run_for(api, *arguments)
    assert (code, error) == (0, "")
    return out


def stored(api: ApiClient) -> list[dict[str, Any]]:
    """All songs from the API, ordered by confidence."""
    query = (
        "{ songs(orderBy: CONFIDENCE, first: 1000) { nodes { trackId title confidence genre { name } } } }"
    )
    return list(api.execute(query)["songs"]["nodes"])


@pytest.fixture
def batch(api: ApiClient) -> dict[str, Any]:
    """A stored batch of 30 songs."""
    return api.classify(song_csv([*song_rows(29), song_row(trackID="100", title="Ünter, [all] love")]))


def test_genres_are_listed_as_table_csv_and_json(api: ApiClient, batch: dict[str, Any]) -> None:
    expected = [(one["genre"]["name"], one["songCount"]) for one in batch["genres"]]
    assert [(one["genre"], one["songs"]) for one in json.loads(printed(api, "genres", "--json"))] == expected
    rows = list(csv.reader(io.StringIO(printed(api, "genres", "--csv"))))
    assert rows == [["genre", "songs"], *([genre, str(count)] for genre, count in expected)]
    table = printed(api, "genres")
    assert all(f" {genre} " in table for genre, _ in expected)


def test_an_empty_catalogue_prints_an_empty_list(api: ApiClient) -> None:
    assert json.loads(printed(api, "songs", "--json")) == []
    assert printed(api, "songs", "--csv") == "trackID,title,genre,confidence,confident,modelVersion\n"
    assert json.loads(printed(api, "batches", "--json")) == []


def test_songs_are_filtered_and_ordered(api: ApiClient, batch: dict[str, Any]) -> None:
    songs = stored(api)
    middle = songs[15]["confidence"]

    def listed(*options: object) -> list[str]:
        return [song["trackID"] for song in json.loads(printed(api, "songs", "--json", *options))]

    ids = [song["trackId"] for song in songs]
    assert listed("--order", "confidence") == ids
    assert listed("--order", "confidence-desc", "--first", 3) == ids[:-4:-1]
    assert listed("--order", "confidence", "--min-confidence", middle) == ids[15:]
    assert listed("--order", "confidence", "--max-confidence", middle, "--all") == ids[:16]
    assert listed("--title", "ünter") == ["100"]
    assert sorted(listed("--batch", batch["id"], "--confident")) == sorted(ids)
    assert listed("--uncertain") == []
    genre = songs[0]["genre"]["name"]
    assert set(listed("--genre", genre)) == {
        song["trackId"] for song in songs if song["genre"]["name"] == genre
    }


@pytest.mark.usefixtures("batch")
def test_csv_contains_titles_unchanged(api: ApiClient) -> None:
    (row,) = csv.DictReader(io.StringIO(printed(api, "songs", "--title", "all", "--csv", "--first", 1)))
    (song,) = (song for song in stored(api) if song["trackId"] == "100")
    assert row["title"] == song["title"] == "Ünter, [all] love"
    assert (row["genre"], float(row["confidence"])) == (song["genre"]["name"], song["confidence"])
    assert row["confident"] == "true"


def test_all_fetches_every_page(api: ApiClient) -> None:
    api.classify(song_csv(song_rows(1_001)))
    assert len(printed(api, "songs", "--all", "--csv").splitlines()) == 1_002
    assert len(printed(api, "songs", "--csv").splitlines()) == 51


def test_a_song_is_shown_with_its_explanation(api: ApiClient, batch: dict[str, Any]) -> None:
    song = json.loads(printed(api, "song", 100, "--json", "--explain"))
    assert (song["title"], song["batch"]["id"]) == ("Ünter, [all] love", batch["id"])
    shown = printed(api, "song", 100, "--explain")
    assert f"Ünter, [all] love: {song['genre']['name']} ({song['confidence']:.2f})" in shown
    assert f"batch {batch['id']}, songs.csv" in shown
    assert all(f"{one['contribution']:+.2f}" in shown for one in song["explanation"])
    assert "reason" not in printed(api, "song", 100)


@pytest.mark.usefixtures("batch")
def test_a_verified_genre_is_shown_with_the_predicted_one(api: ApiClient) -> None:
    verify = 'mutation { verifySongs(input: [{trackId: "100", genre: "polka"}]) { __typename } }'
    api.execute(verify)
    assert "Ünter, [all] love: polka, verified; predicted was " in printed(api, "song", 100)
    (song,) = json.loads(printed(api, "songs", "--verified", "--json"))
    assert (song["trackID"], song["genre"]) == ("100", "polka")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("song", 7), 1, "there is no stored song with track ID 7"),
        (("song", "x"), 1, "trackId: must be a whole number, 0 or more"),
        (("songs", "--genre", "polka"), 1, "Unknown genre 'polka'."),
        (("songs", "--min-confidence", "2"), 2, "must be from 0 to 1, not 2"),
        (("songs", "--order", "x"), 2, "Invalid value for '--order': 'x' is not one of 'title',"),
        (("songs", "--json", "--csv"), 2, "--json and --csv cannot be combined"),
        (("batch", "U29uZzox"), 1, "id: is not a batch ID; pass `Batch.id`"),
        (("batch", "x", "--follow", "--cancel"), 2, "use only one of --follow, --cancel and --delete"),
        (("batch", "x", "--with-songs"), 2, "--with-songs requires --delete"),
        (("download", "x"), 1, "The batch does not exist."),
        (("download", "x", "-o", "."), 2, "--output: . is not a file in an existing folder"),
        (
            ("download", "x", "-o", "nowhere/a.csv"),
            2,
            "--output: nowhere/a.csv is not a file in an existing folder",
        ),
        (("genres", "--client-secret", "guess"), 3, "The client-id or client-secret is wrong."),
        (("genres", "--url", "http://127.0.0.1:9"), 3, "http://127.0.0.1:9/graphql cannot be reached"),
    ],
)
def test_errors_are_printed_to_standard_error(
    api: ApiClient, arguments: tuple[object, ...], code: int, message: str
) -> None:
    found, out, error = run_for(api, *arguments)
    assert (found, out) == (code, "")
    assert message in " ".join(error.split())


def test_batches_are_listed_and_shown(api: ApiClient, batch: dict[str, Any]) -> None:
    (listed,) = json.loads(printed(api, "batches", "--json"))
    assert (listed["id"], listed["file"], listed["status"], listed["rows"]) == (
        *(batch["id"], "songs.csv"),
        *("SUCCEEDED", 30),
    )
    shown = printed(api, "batch", batch["id"])
    assert shown.splitlines()[:2] == [
        "songs.csv: 30 rows, 30 songs stored (0 rows with missing values, 0 invalid, 0 repeated)",
        f"batch {batch['id']}",
    ]
    assert printed(api, "batch", batch["id"], "--follow") == shown
    (outcome,) = json.loads(printed(api, "batch", batch["id"], "--json"))
    assert outcome["batch"]["rowsClassified"] == 30


def test_piped_tables_contain_every_row_on_one_line(api: ApiClient) -> None:
    title = f"{'long ' * 40}\n2 | forged\trow"
    batch = api.classify(song_csv([song_row(trackID="1", title=title)]))
    assert batch["id"] in printed(api, "batches")
    escaped = title.replace("\n", "\\n").replace("\t", "\\t")
    assert any(f" {escaped} " in line for line in printed(api, "songs").splitlines())
    assert printed(api, "song", "1").startswith(f"{escaped}: ")


def test_tables_on_a_narrow_terminal_wrap_texts_but_do_not_cut_them() -> None:
    batch = {"id": "q" * 56, "fileName": "z" * 99, "status": "QUEUED", "rowsUploaded": 1, "rowsClassified": 0}
    screen = _on_terminal({"batches": {"nodes": [{**batch, "createdAt": "2026"}]}}, ("batches",), columns=60)
    assert (screen.count("q"), screen.count("z")) == (56, 99)
    assert "\N{HORIZONTAL ELLIPSIS}" not in screen


@pytest.mark.parametrize(("options", "left"), [((), 30), (("--with-songs",), 0)])
def test_a_batch_is_deleted(
    api: ApiClient, batch: dict[str, Any], options: tuple[str, ...], left: int
) -> None:
    printed_text = printed(api, "batch", batch["id"], "--delete", *options)
    assert printed_text == f"Deleted the batch and {30 - left} songs.\n"
    assert len(stored(api)) == left
    code, _, error = run_for(api, "batch", batch["id"])
    assert (code, error) == (1, f"genregraph: there is no batch {batch['id']}\n")


def test_following_a_cancelled_batch_fails(start_service: StartService) -> None:
    api = start_service(worker_concurrency=0)
    options = ("--background", "--no-wait", "--json")
    code, out, _ = run_for(api, "classify", "-", *options, stdin=song_csv(song_rows(3)))
    assert code == 0
    batch_id = json.loads(out)[0]["batch"]["id"]
    # when
    assert printed(api, "batch", batch_id, "--cancel") == "The batch is cancelled.\n"
    # then
    code, out, error = run_for(api, "batch", batch_id, "--follow")
    assert (code, out, error) == (1, "", "standard input: the batch is cancelled\n")


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.csv", ()), ("a.jsonl", ()), ("a", ("--format", "jsonl")), ("a.parquet", ()), ("a.txt", ())],
)
def test_batch_results_are_downloaded_in_each_format(
    api: ApiClient, batch: dict[str, Any], tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    extension = options[-1] if options else {"a.txt": "csv"}.get(name, name.partition(".")[2])
    target = tmp_path / name
    target.write_text("before")
    # when
    assert printed(api, "download", batch["id"], "-o", target, *options) == ""
    # then
    expected = api.http.get(f"/batches/{batch['id']}/songs.{extension}").content
    assert target.read_bytes() == expected
    assert list(tmp_path.iterdir()) == [target]
    if extension != "parquet":
        assert printed(api, "download", batch["id"], "--format", extension) == expected.decode()


def test_an_interrupted_download_leaves_the_file_unchanged(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_text("before")
    with scripted_server(Answer(body={})) as server:
        environment = {"GENREGRAPH_URL": server.url, "GENREGRAPH_RETRIES": "0"}
        result = CliRunner().invoke(cli, ["download", "x", "-o", str(target)], env=environment)
    assert result.exit_code == 3
    assert (target.read_text(), list(tmp_path.iterdir())) == ("before", [target])


def test_a_page_instead_of_results_leaves_the_file_unchanged(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_text("before")
    with scripted_server(Answer(body="<html>Please log in</html>")) as server:
        environment = {"GENREGRAPH_URL": server.url, "GENREGRAPH_RETRIES": "0"}
        result = CliRunner().invoke(cli, ["download", "x", "-o", str(target)], env=environment)
    assert result.exit_code == 3
    assert "/batches/x/songs.csv responded with status 200 instead of results" in result.output
    assert target.read_text() == "before"


def test_results_of_standard_input_go_to_standard_output(api: ApiClient, tmp_path: Path) -> None:
    content = song_csv(song_rows(5))
    code, out, error = run_for(api, "classify", "-", "--output", "-", stdin=content)
    assert code == 0
    assert [row["trackID"] for row in csv.DictReader(io.StringIO(out))] == [
        row["trackID"] for row in song_rows(5)
    ]
    assert "standard input: 5 rows, 5 songs stored" in error
    target = tmp_path / "genres.jsonl"
    code, out, error = run_for(api, "classify", "-", "-o", target, stdin=content)
    assert (code, error) == (0, "")
    assert "standard input: 5 rows, 5 songs stored" in out
    assert len(target.read_text().splitlines()) == 5


def test_a_rejected_file_writes_no_output(api: ApiClient, tmp_path: Path) -> None:
    target = tmp_path / "genres.csv"
    code, out, error = run_for(api, "classify", "-", "-o", target, stdin=song_csv([song_row(tempo="asd")]))
    assert (code, out, target.exists()) == (1, "", False)
    assert "standard input: The song file is invalid" in error
    for options in (("--no-wait",), ("--json",), (Path(__file__),)):
        code, _, error = run_for(api, "classify", "-", "-o", target, *options)
        assert (
            code,
            "--output takes a single input file and cannot be combined with --no-wait or --json" in error,
        ) == (2, True)


def test_ctrl_c_prints_how_to_follow_or_cancel_the_batch() -> None:
    running = stored_batch(status="RUNNING", fileName="a.csv", rowsProcessed=3, rowsUploaded=7)
    with scripted_server(Answer(body={"data": {"batch": running}})) as server:
        process = subprocess.Popen(
            [*GENREGRAPH, "batch", "b1", "--follow"],
            env={**os.environ, "GENREGRAPH_URL": server.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until = time.monotonic() + 30
        while server.requests < 4 and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert error.splitlines() == [
        "genregraph: interrupted; the batch continues in the background.",
        "Follow it: genregraph batch b1 --follow",
        "Stop it:   genregraph batch b1 --cancel",
    ]


@pytest.mark.parametrize(
    "arguments",
    [("songs",), ("songs", "--csv"), ("songs", "--json"), ("song", "1"), ("batches",), ("genres",)],
    ids=" ".join,
)
def test_control_characters_in_responses_are_escaped(arguments: tuple[str, ...]) -> None:
    song = {
        "trackId": "1",
        "title": WILD,
        "genre": {"name": WILD},
        "predictedGenre": {"name": WILD},
        "verifiedGenre": {"name": WILD},
        "confidence": 0.5,
        "confident": True,
        "modelVersion": WILD,
        "classifiedAt": "now",
        "probabilities": [],
        "batch": None,
    }
    batch = {"id": "b1", "fileName": WILD, "status": "QUEUED", "rowsUploaded": 1, "rowsClassified": 0}
    data = {
        "songs": {"nodes": [song], "pageInfo": {"hasNextPage": False, "endCursor": None}},
        "song": song,
        "batches": {"nodes": [{**batch, "createdAt": "now"}]},
        "genres": [{"name": WILD, "songCount": 1}],
    }
    screen = _on_terminal(data, arguments, columns=300)
    assert "owned" in screen
    assert not set("\x07\x9b\N{RIGHT-TO-LEFT OVERRIDE}") & set(screen)
    assert "\x1b]0" not in screen
    assert "\x1b[31m" not in screen


def _on_terminal(data: dict[str, Any], arguments: tuple[str, ...], *, columns: int) -> str:
    """Return what a command prints on a terminal when the service responds with some data."""
    with scripted_server(Answer(body={"data": data})) as server:
        ours, theirs = pty.openpty()
        process: subprocess.Popen[bytes] = subprocess.Popen(
            [*GENREGRAPH, *arguments],
            env={**os.environ, "GENREGRAPH_URL": server.url, "TERM": "xterm", "COLUMNS": str(columns)},
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        screen = _all_of(ours)
        assert process.wait(timeout=30) == 0
    return screen


def _all_of(terminal: int) -> str:
    content = b""
    try:
        while data := os.read(terminal, 65_536):
            content += data
    except OSError:  # the other side is closed
        pass
    os.close(terminal)
    return content.decode()
