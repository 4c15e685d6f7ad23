"""`genregraph classify` with a real service."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from contextlib import chdir
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli.root import cli
from tests.conftest import StartService
from tests.support.client import ApiClient
from tests.support.command import CLASSIFY, write
from tests.support.songs import song_csv, song_row, song_rows


def classify(
    api: ApiClient | None, *arguments: object, cwd: Path | None = None, **environment: str
) -> Result:
    """Run the command in this process, with URL and credentials in the environment."""
    given = {"COLUMNS": "200", **environment}
    if api is not None:
        given = {"GENREGRAPH_URL": api.url, "GENREGRAPH_RETRIES": "0", **given}
    with chdir(cwd or Path.cwd()):
        done = CliRunner().invoke(cli, ["classify", *map(str, arguments)], env=given)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def total(api: ApiClient) -> int:
    return int(api.execute("{ songs { totalCount } }")["songs"]["totalCount"])


def test_files_and_patterns_are_stored_and_summarized_in_a_table(api: ApiClient, tmp_path: Path) -> None:
    # given three files, one of which matches twice
    write(tmp_path / "one.csv", song_csv(song_rows(3)))
    (tmp_path / "more" / "deep").mkdir(parents=True)
    write(tmp_path / "more" / "two.csv", song_csv([song_row(trackID="10"), song_row(trackID="11", tempo="")]))
    write(tmp_path / "more" / "deep" / "three.csv", song_csv([song_row(trackID="20")]))
    # when no shell expands the patterns
    done = classify(api, "one.csv", "*.csv", "more/**/*.csv", cwd=tmp_path)
    # then each is sent once, and only results are printed
    assert (done.exit_code, done.stderr) == (0, "")
    assert "one.csv: 3 rows, 3 songs stored" in done.stdout
    table = done.stdout[done.stdout.rindex("┏") :]
    cells = [
        [cell.strip() for cell in line.strip("│").split("│")] for line in table.splitlines() if "│" in line
    ]
    assert cells == [
        ["one.csv", "stored", "3", "3", "0", "0", "0", "0"],
        ["more/deep/three.csv", "stored", "1", "1", "0", "0", "0", "0"],
        ["more/two.csv", "stored", "2", "1", "1", "0", "0", "0"],
    ]
    assert total(api) == 5


def test_a_rejected_file_is_reported_by_line_column_and_value_and_the_rest_is_sent(
    api: ApiClient, tmp_path: Path
) -> None:
    # given
    rows = [song_row(), song_row(tempo="asd"), *(song_row(key="[b]99[/b]") for _ in range(10))]
    wrong = write(tmp_path / "wrong.csv", song_csv(rows))
    right = write(tmp_path / "right.csv", song_csv([song_row()]))
    # when
    done = classify(api, wrong, right)
    # then
    assert done.exit_code == 1
    lines = [" ".join(line.replace("│", " ").split()) for line in done.stderr.splitlines()]
    assert lines[0].startswith("wrong.csv: The song file is invalid")
    (problem,) = (line for line in lines if line.startswith("3 "))
    assert problem.startswith("3 tempo asd expected a number from 0 to 1000")
    assert any(line.startswith("4 key [b]99[/b] expected ") for line in lines)
    assert "and 1 more; --json lists the first 100" in lines
    assert "right.csv: 1 row, 1 song stored" in done.stdout
    assert "refused" in done.stdout
    assert total(api) == 1


def test_skipped_rows_are_reported(api: ApiClient, tmp_path: Path) -> None:
    file = write(tmp_path / "songs.csv", song_csv([song_row(), song_row(trackID="2", tempo="asd")]))
    done = classify(api, file, "--skip-invalid-rows")
    assert done.exit_code == 0
    lines = [" ".join(line.replace("│", " ").split()) for line in done.stdout.splitlines()]
    assert any(line.startswith("3 tempo asd expected a number") for line in lines)


def test_rows_with_missing_values_can_be_classified(api: ApiClient, tmp_path: Path) -> None:
    file = write(tmp_path / "songs.csv", song_csv([song_row(), song_row(trackID="2", tempo="")]))
    done = classify(api, file, "--on-missing-value", "classify")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "2 rows, 2 songs stored (0 rows with missing values, 0 invalid, 0 repeated)" in done.stdout
    assert "1 row classified despite missing values" in done.stdout


def test_json_output_is_one_document_with_the_outcome_of_each_file(api: ApiClient, tmp_path: Path) -> None:
    # given
    right = write(tmp_path / "right.csv", song_csv([*song_rows(2), song_row(trackID="9", key="")]))
    wrong = write(tmp_path / "wrong.csv", song_csv([song_row(tempo="asd")]))
    # when
    done = classify(api, right, wrong, "--json")
    # then
    assert (done.exit_code, done.stderr) == (1, "")
    stored, refused = json.loads(done.stdout)
    batch = stored.pop("batch")
    assert stored == {"file": str(right), "stored": True, "error": None}
    assert (batch["status"], batch["rowsClassified"], batch["rowsWithMissingValues"]) == ("SUCCEEDED", 2, 1)
    assert sum(genre["songCount"] for genre in batch["genres"]) == 2
    assert batch["model"] == {"version": api.execute("{ model { version } }")["model"]["version"]}
    error = refused.pop("error")
    assert refused == {"file": str(wrong), "stored": False, "batch": None}
    assert (error["code"], error["problemCount"]) == ("INVALID_SONG_FILE", 1)
    assert {name: error["problems"][0][name] for name in ("line", "column", "value")} == {
        "line": 2,
        "column": "tempo",
        "value": "asd",
    }


def test_json_with_explain_contains_the_songs(api: ApiClient, tmp_path: Path) -> None:
    file = write(tmp_path / "songs.csv", song_csv([song_row(title="Ünter [all]")]))
    done = classify(api, file, "--json", "--explain")
    assert (done.exit_code, done.stderr) == (0, "")
    ((result),) = json.loads(done.stdout)
    assert result["batch"]["songs"][0]["title"] == "Ünter [all]"
    assert len(result["batch"]["songs"][0]["explanation"]) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "there is no file nowhere.csv"),
        (["none/*.csv"], "no file matches none/*.csv"),
        (["songs.csv", "song?.csx"], "no file matches song?.csx"),
        (["."], ". is a folder; name files, such as *.csv"),
        ([], "Missing argument 'FILE'"),
        ([""], "the name of a file is empty"),
        (["/dev/null"], "/dev/null is not a regular file; name - to read a pipe"),
        (["songs.csv", "-o", "./songs.csv"], "--output: songs.csv is the song file; name another file"),
        (["songs.csv", "--url", "localhost:8000"], "must look like http://127.0.0.1:8000/graphql"),
        (["songs.csv", "--url", "http://"], "must look like http://127.0.0.1:8000/graphql"),
        (["songs.csv", "--url", "http://a:b:c/"], "is not a URL"),
        (["songs.csv", "--url", "http://localhost:70000"], "must look like http://127.0.0.1:8000/graphql"),
        (["songs.csv", "--client-id", "é"], "must be printable ASCII without blanks around it"),
        (["songs.csv", "--client-secret", "a\nb"], "must be printable ASCII without blanks around it"),
        (["songs.csv", "--min-confidence", "2"], "must be from 0 to 1, not 2"),
        (["songs.csv", "--min-confidence", "nan"], "must be from 0 to 1, not nan"),
        (["songs.csv", "--retries", "-1"], "--retries"),
        (["songs.csv", "--explain", "--background"], "--explain and --background cannot be combined"),
    ],
)
def test_usage_errors_exit_with_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    write(tmp_path / "songs.csv", b"")
    done = classify(None, *arguments, cwd=tmp_path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in " ".join(done.stderr.split())


def test_a_file_whose_name_looks_like_a_pattern_is_found(api: ApiClient, tmp_path: Path) -> None:
    write(tmp_path / "songs[1].csv", song_csv(song_rows(2)))
    write(tmp_path / "songs1.csv", song_csv([song_row(trackID="9")]))
    done = classify(api, "songs[1].csv", cwd=tmp_path)
    assert (done.exit_code, "songs[1].csv: 2 rows, 2 songs stored" in done.stdout) == (0, True)
    assert total(api) == 2


def test_denied_or_unreachable_exits_with_3(api: ApiClient, tmp_path: Path) -> None:
    file = write(tmp_path / "songs.csv", song_csv([song_row()]))
    done = classify(api, file, GENREGRAPH_CLIENT_SECRET="guess")
    expected = "genregraph: The client-id or client-secret is wrong.\n"
    assert (done.exit_code, done.stdout, done.stderr) == (3, "", expected)
    done = classify(api, file, "--json", GENREGRAPH_URL="http://127.0.0.1:9")
    assert (done.exit_code, "http://127.0.0.1:9/graphql cannot be reached" in done.stderr) == (3, True)
    (result,) = json.loads(done.stdout)
    assert (result["stored"], result["error"]["code"]) == (False, "NOT_REACHED")
    assert total(api) == 0


def test_a_file_over_the_service_limit_is_rejected(start_service: StartService, tmp_path: Path) -> None:
    api = start_service(max_upload_bytes=100_000)
    large = write(tmp_path / "large.csv", bytes(20_000_000))
    small = write(tmp_path / "small.csv", song_csv([song_row()]))
    done = classify(api, large, small)
    assert done.exit_code == 1
    assert "large.csv: The request is larger than 100,000 bytes" in done.stderr
    assert "small.csv: 1 row, 1 song stored" in done.stdout


class TestBackground:
    def test_it_waits_and_prints_the_same_as_without_background(self, api: ApiClient, tmp_path: Path) -> None:
        file = write(tmp_path / "songs.csv", song_csv([*song_rows(30), song_row(tempo="")]))
        done = classify(api, file, "--background")
        assert (done.exit_code, done.stderr) == (0, "")
        assert "songs.csv: 31 rows, 30 songs stored (1 row with missing values" in done.stdout
        in_background, in_request = (
            [line for line in one.stdout.splitlines() if not line.startswith("batch ")]
            for one in (done, classify(api, file))
        )
        assert in_background == in_request
        assert total(api) == 30

    def test_it_waits_for_a_file_that_the_service_queues_because_of_its_size(
        self, start_service: StartService, tmp_path: Path
    ) -> None:
        api = start_service(max_sync_rows=10)
        file = write(tmp_path / "songs.csv", song_csv(song_rows(11)))
        done = classify(api, file, "--json")
        (result,) = json.loads(done.stdout)
        assert (done.exit_code, result["stored"]) == (0, True)
        assert result["batch"]["rowsClassified"] == 11

    def test_an_invalid_file_is_rejected_with_its_problems(self, api: ApiClient, tmp_path: Path) -> None:
        file = write(tmp_path / "wrong.csv", song_csv([song_row(), song_row(tempo="asd")]))
        done = classify(api, file, "--background")
        assert done.exit_code == 1
        assert "wrong.csv: " in done.stderr
        lines = [" ".join(line.replace("│", " ").split()) for line in done.stderr.splitlines()]
        assert any(line.startswith("3 tempo asd expected a number") for line in lines)
        assert total(api) == 0

    def test_no_wait_returns_immediately(self, api: ApiClient, tmp_path: Path) -> None:
        file = write(tmp_path / "songs.csv", song_csv(song_rows(5)))
        done = classify(api, file, "--background", "--no-wait", "--json")
        (result,) = json.loads(done.stdout)
        assert (done.exit_code, result["stored"], result["error"]) == (0, False, None)
        assert result["batch"]["status"] in {"QUEUED", "RUNNING"}
        known = api.execute("query ($id: ID!) { batch(id: $id) { rowsUploaded } }", id=result["batch"]["id"])
        assert known == {"batch": {"rowsUploaded": 5}}


def test_progress_is_shown_only_on_a_terminal(api: ApiClient, tmp_path: Path) -> None:
    # given
    file = write(tmp_path / "songs.csv", song_csv(song_rows(400)))
    for options, shown in (([], True), (["--json"], False)):
        # when standard error is a terminal
        ours, theirs = pty.openpty()
        process: subprocess.Popen[bytes] = subprocess.Popen(
            [*CLASSIFY, str(file), "--background", *options],
            env={**os.environ, "GENREGRAPH_URL": api.url, "TERM": "xterm", "COLUMNS": "120"},
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        )
        os.close(theirs)
        screen = _all_of(ours)
        # then
        assert process.wait(timeout=30) == 0
        assert ("uploading songs.csv" in screen) is shown
        assert ("classifying songs.csv" in screen) is shown
        assert ("of 400 rows" in screen) is shown


def _all_of(terminal: int) -> str:
    content = b""
    while True:
        try:
            data = os.read(terminal, 65_536)
        except OSError:  # the other side is closed
            data = b""
        if not data:
            os.close(terminal)
            return content.decode()
        content += data
