"""`genregraph classify` if the service is temporarily unavailable, or is not genregraph."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import tenacity.nap

from app.cli import sending
from app.cli.client import seconds_until
from tests.support.command import peak_memory, run, write
from tests.support.scripted_server import Answer, Script, scripted_server, stored_batch


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the pauses that commands take before they retry, in seconds; none is waited for."""
    taken: list[float] = []
    monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=taken.append))
    monkeypatch.setattr(sending, "POLL_SECONDS", 0.01)
    return taken


UNAVAILABLE = {"errors": [{"message": "The database is away.", "extensions": {"code": "UNAVAILABLE"}}]}
STORED = Answer(body={"data": {"classifyBatch": stored_batch(rowsUploaded=7, rowsClassified=7)}})


def away(**headers: str) -> Answer:
    return Answer(503, UNAVAILABLE, {name.replace("_", "-"): value for name, value in headers.items()})


def classify(server: Script, tmp_path: Path, *arguments: object) -> tuple[int, str]:
    file = write(tmp_path / "songs.csv", b"trackID\n" * 1_000)
    return run("classify", file, "--url", server.url, *arguments, COLUMNS="200")


def test_a_retry_sends_the_whole_file_again(tmp_path: Path, pauses: list[float]) -> None:
    with scripted_server(away(), Answer(502, "<h1>Bad gateway</h1>"), Answer(None), STORED) as server:
        code, output = classify(server, tmp_path)
    assert code == 0
    assert "songs.csv: 7 rows, 7 songs stored" in output
    assert server.requests == 4
    assert len(server.bytes_received) == 3
    assert len(set(server.bytes_received)) == 1
    assert server.bytes_received[0] > 8_000
    first, second, third = pauses
    assert 0.5 <= first <= 1.0
    assert 1.0 <= second <= 1.5
    assert 2.0 <= third <= 2.5
    assert output.count("trying again in") == 3
    assert "The database is away.; trying again" not in output
    assert "The database is away; trying again in" in output


def test_it_waits_for_retry_after(tmp_path: Path, pauses: list[float]) -> None:
    with scripted_server(away(retry_after="2"), STORED) as server:
        assert classify(server, tmp_path)[0] == 0
    assert pauses == [2.0]


def test_it_gives_up_after_the_given_number_of_retries(tmp_path: Path) -> None:
    for retries in (0, 1):
        with scripted_server(away()) as server:
            code, output = classify(server, tmp_path, "--retries", retries)
        assert (code, server.requests) == (3, retries + 1)
        assert output.splitlines()[-1] == "genregraph: The database is away."


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (Answer(500, {"errors": [{"message": "Something went wrong."}]}), 1, "Something went wrong."),
        (Answer(401, {"errors": [{"message": "Who are you?"}]}), 3, "Who are you?"),
        (Answer(507, {"errors": [{"message": "The disk is full."}]}), 1, "The disk is full."),
        (Answer(404, "<h1>Not found</h1>"), 3, "responded with status 404 instead of GraphQL"),
        (Answer(200, {"detail": "Not Found"}), 3, "responded with status 200 instead of GraphQL"),
        (Answer(200, {"errors": "none"}), 3, "responded with status 200 instead of GraphQL"),
        (Answer(200, {"errors": [{}]}), 3, "responded with status 200 instead of GraphQL"),
        (Answer(200, [1]), 3, "responded with status 200 instead of GraphQL"),
        (Answer(404, {"errors": [{"message": "Unknown path."}]}), 3, "/graphql: Unknown path."),
        (Answer(405, {"errors": [{"message": "Use GET."}]}), 3, "/graphql: Use GET."),
        (
            Answer(301, "", {"location": "https://elsewhere.example/"}),
            3,
            "redirects to https://elsewhere.example/",
        ),
        (Answer(200, {"data": {"viewer": None}}), 1, "The response has no field classifyBatch."),
    ],
)
def test_permanent_errors_are_not_retried(tmp_path: Path, answer: Answer, code: int, message: str) -> None:
    with scripted_server(answer) as server:
        found = classify(server, tmp_path)
    assert (found[0], server.requests) == (code, 1)
    assert message in found[1]


def test_a_file_that_grows_during_the_upload_is_reported(tmp_path: Path) -> None:
    # given a file that another program appends to
    file = write(tmp_path / "songs.csv", b"trackID\n" * 2_000_000)
    ended = threading.Event()

    def grow() -> None:
        with file.open("ab") as growing:
            while not ended.wait(0.0001):
                growing.write(b"1\n")
                growing.flush()

    writer = threading.Thread(target=grow)
    writer.start()
    # when
    try:
        with scripted_server(STORED) as server:
            code, output = run("classify", file, "--url", server.url, "--retries", 0, COLUMNS="200")
    finally:
        ended.set()
        writer.join()
    # then
    assert (code, output) == (1, "songs.csv: cannot be read: it changed while it was being sent\n")


def test_a_background_batch_is_followed_through_an_outage(tmp_path: Path) -> None:
    # given
    queued = stored_batch(status="QUEUED", rowsUploaded=7)
    answers = (
        Answer(body={"data": {"classifyBatch": queued}}),
        Answer(body={"data": {"batch": stored_batch(status="RUNNING", rowsProcessed=3, rowsUploaded=7)}}),
        away(),
        Answer(body={"data": {"batch": stored_batch(rowsProcessed=7, rowsUploaded=7, rowsClassified=7)}}),
    )
    # when
    with scripted_server(*answers) as server:
        code, output = classify(server, tmp_path)
    # then
    assert (code, server.requests) == (0, 4)
    assert "songs.csv: 7 rows, 7 songs stored" in output


def test_a_batch_cancelled_while_it_is_followed_exits_with_1(tmp_path: Path) -> None:
    answers = (
        Answer(body={"data": {"classifyBatch": stored_batch(status="QUEUED")}}),
        Answer(body={"data": {"batch": stored_batch(status="CANCELLED")}}),
    )
    with scripted_server(*answers) as server:
        code, output = classify(server, tmp_path)
    assert code == 1
    assert "songs.csv: the batch is cancelled" in output


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    # given a file of 1 KB and one of 100 MB
    small = write(tmp_path / "small.csv", bytes(1_000))
    large = tmp_path / "large.csv"
    with large.open("wb") as file:
        file.truncate(100_000_000)
    with scripted_server(STORED) as server:
        # when
        found = [peak_memory(path, "--url", server.url) for path in (small, large)]
    # then
    assert [code for code, _ in found] == [0, 0]
    assert server.bytes_received[1] > 100_000_000
    assert found[1][1] - found[0][1] < 20_000_000


def test_retry_after_can_be_seconds_or_a_date() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=60)
    assert seconds_until("7") == 7.0
    assert 50 < (seconds_until(format_datetime(soon, usegmt=True)) or 0) <= 60
    assert seconds_until("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert [seconds_until(text) for text in ("", "soon", "-3")] == [None, None, None]
