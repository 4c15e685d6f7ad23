"""Output to closed descriptors, full disks, pipes and limited encodings."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.client import ApiClient
from tests.support.command import write
from tests.support.programs import GENREGRAPH, ROOT
from tests.support.scripted_server import Answer, scripted_server, stored_batch
from tests.support.songs import song_csv, song_rows

FULL = b"genregraph: the output is lost: No space left on device\n"
CLOSED = b"genregraph: the output is lost: standard output is closed\n"
GENRES = [{"genre": {"name": "šlágr ♫"}, "songCount": 7}]
STORED = Answer(
    body={"data": {"classifyBatch": stored_batch(rowsUploaded=7, rowsClassified=7, genres=GENRES)}}
)


def genregraph(
    *arguments: str | Path,
    redirected: str = "",
    stdin: bytes = b"",
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a command in bash with a redirection such as `> /dev/full`."""
    return subprocess.run(
        ["bash", "-c", f'set -o pipefail; "$@" {redirected}', "bash", *GENREGRAPH, *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", **(environment or {})},
        input=stdin,
        check=False,
        capture_output=True,
    )


@pytest.mark.parametrize(
    "redirected", [">/dev/full", ">&-", "2>&-", "2>/dev/full", ">/dev/full 2>&1", ">&- 2>&- <&-", "| true"]
)
@pytest.mark.parametrize("form", [(), ("--json",)], ids=" ".join)
def test_classify_succeeds_even_if_its_output_is_lost(
    tmp_path: Path, redirected: str, form: tuple[str, ...]
) -> None:
    file = write(tmp_path / "songs.csv", b"trackID\n")
    with scripted_server(STORED) as server:
        done = genregraph("classify", file, "--url", server.url, *form, redirected=redirected)
    assert (done.returncode, server.requests) == (0, 1)
    assert done.stderr == {">/dev/full": FULL, ">&-": CLOSED}.get(redirected, b"")


def test_a_rejected_file_exits_with_1_even_if_the_output_is_lost(tmp_path: Path) -> None:
    file = write(tmp_path / "songs.csv", b"trackID\n")
    refused = Answer(body={"data": {"classifyBatch": {"__typename": "Error", "message": "no", "code": "NO"}}})
    with scripted_server(refused) as server:
        for redirected in (">/dev/full", ">&-", ">&- 2>&-", "| true"):
            assert genregraph("classify", file, "--url", server.url, redirected=redirected).returncode == 1


def test_a_command_that_only_prints_fails_if_its_output_is_lost(tmp_path: Path) -> None:
    for redirected, message in (("> /dev/full", FULL), (">&-", CLOSED)):
        done = genregraph("schema", redirected=redirected)
        assert (done.returncode, done.stderr) == (1, message)
    enough = genregraph("schema", redirected="| head -1")
    assert (enough.returncode, enough.stderr, enough.stdout.count(b"\n")) == (0, b"", 1)
    file = genregraph("schema", "--out", tmp_path / "schema.graphql", redirected=">&-")
    assert (file.returncode, file.stderr) == (0, b"")


def test_listing_genres_fails_if_standard_output_is_closed() -> None:
    with scripted_server(Answer(body={"data": {"genres": []}})) as server:
        for form in ((), ("--json",), ("--csv",)):
            done = genregraph("genres", "--url", server.url, *form, redirected=">&-")
            assert (done.returncode, done.stderr) == (1, CLOSED)


@pytest.mark.parametrize("arguments", [("--help",), ("classify", "--help"), ("--version",), ("clasify",), ()])
def test_help_survives_lost_output(arguments: tuple[str, ...]) -> None:
    for redirected in (">&- 2>&-", ">/dev/full 2>&1", "| true"):
        done = genregraph(*arguments, redirected=redirected)
        assert b"Traceback" not in done.stderr
        assert done.returncode in ((2,) if arguments in [("clasify",), ()] else (0,))


@pytest.mark.parametrize(
    ("environment", "genre"),
    [
        ({"PYTHONIOENCODING": "ascii"}, b"\\u0161l\\xe1gr \\u266b"),
        ({"PYTHONIOENCODING": "latin-1"}, b"\\u0161l\xe1gr \\u266b"),
        ({"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, b"\\u0161l\\xe1gr \\u266b"),
        ({"LC_ALL": "C"}, "šlágr ♫".encode()),
    ],
)
def test_characters_outside_the_encoding_are_escaped(
    tmp_path: Path, environment: dict[str, str], genre: bytes
) -> None:
    name = os.fsdecode("č".encode() + b"\xff.csv")
    file = write(tmp_path / name, b"trackID\n")
    with scripted_server(STORED) as server:
        done = genregraph("classify", file, file, "--url", server.url, environment=environment)
        as_json = genregraph("classify", file, "--url", server.url, "--json", environment=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert genre in done.stdout
    assert b"\\udcff.csv: 7 rows, 7 songs stored" in done.stdout
    assert as_json.returncode == 0
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    (outcome,) = json.loads(as_json.stdout.decode(encoding))
    assert outcome["batch"]["genres"] == GENRES
    assert outcome["file"].endswith("\udcff.csv")


def test_undecodable_file_names_reach_the_service_with_replacement_characters(
    api: ApiClient, tmp_path: Path
) -> None:
    file = write(tmp_path / os.fsdecode(b"m\xfc.csv"), song_csv(song_rows(3)))
    done = genregraph("classify", file, "--url", f"{api.url}/graphql")
    assert (done.returncode, done.stderr) == (0, b"")
    assert api.execute("{ batches { nodes { fileName } } }") == {
        "batches": {"nodes": [{"fileName": "m\N{REPLACEMENT CHARACTER}.csv"}]}
    }


def test_classify_reads_standard_input(api: ApiClient) -> None:
    done = genregraph("classify", "-", "--url", f"{api.url}/graphql", "--json", stdin=song_csv(song_rows(3)))
    assert (done.returncode, done.stderr) == (0, b"")
    (outcome,) = json.loads(done.stdout)
    assert (outcome["file"], outcome["stored"], outcome["batch"]["rowsClassified"]) == ("-", True, 3)
    for form in ((), ("--explain",)):
        done = genregraph("classify", "-", "--url", f"{api.url}/graphql", *form, stdin=song_csv(song_rows(3)))
        assert done.returncode == 0
        assert b"standard input: 3 rows, 3 songs stored" in done.stdout


def test_empty_or_repeated_standard_input_is_an_error(api: ApiClient) -> None:
    done = genregraph("classify", "-", "--url", f"{api.url}/graphql")
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert genregraph("classify", "-", "-", "--url", f"{api.url}/graphql").returncode == 2


def test_control_characters_in_responses_are_escaped(tmp_path: Path) -> None:
    # given
    wild = "\x1b]0;owned\x07\x1b[31m\x9b2J\r\N{RIGHT-TO-LEFT OVERRIDE}"
    problem = {"line": 2, "column": wild, "value": wild, "message": wild}
    answers = [
        {"classifyBatch": stored_batch(genres=[{"genre": {"name": wild}, "songCount": 1}])},
        {"classifyBatch": {"__typename": "Error", "message": wild, "code": "NO"}},
        {"classifyBatch": {**stored_batch(), "problemCount": 1, "problems": [problem]}},
    ]
    file = write(tmp_path / f"{wild.replace('/', '')}.csv", b"trackID\n")
    # when
    for answer in (*({"data": data} for data in answers), {"errors": [{"message": wild}]}):
        for form in ((), ("--json",)):
            with scripted_server(Answer(body=answer)) as server:
                done = genregraph(
                    "classify", file, "--url", server.url, *form, environment={"TERM": "xterm-256color"}
                )
            # then
            printed_text = (done.stdout + done.stderr).decode()
            assert not set("\x1b\x07\x9b\r\N{RIGHT-TO-LEFT OVERRIDE}") & set(printed_text)
            assert "owned" in printed_text
    done = genregraph("classify", tmp_path / f"{wild}nowhere.csv")
    assert (done.returncode, b"\x1b" in done.stderr) == (2, False)
