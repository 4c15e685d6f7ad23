"""Each request has an id and one log line."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from app.http import monitoring
from tests.conftest import ExecuteSql
from tests.http.conftest import LogLines
from tests.support.client import CLASSIFY_BATCH, ApiClient, upload_parts
from tests.support.songs import song_csv, song_rows
from tests.support.waiting import eventually
from tests.support.websocket import greeted, opened, receive, send


def logged(log_lines: LogLines, event: str, count: int = 1) -> list[dict[str, Any]]:
    """Return the lines about an event; the last one may be written shortly after the response."""

    def lines() -> list[dict[str, Any]]:
        return [line for line in log_lines() if line["event"] == event]

    eventually(lambda: len(lines()) >= count, f"{count} {event} are logged")
    assert len(lines()) == count
    return lines()


def test_a_request_is_logged_with_its_operation(log_lines: LogLines, api: ApiClient) -> None:
    # when
    response = api.upload(song_csv(song_rows(5)))
    # then
    (line,) = logged(log_lines, "request")
    assert 0 < line.pop("seconds") < 60
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", line.pop("timestamp"))
    assert line == {
        "event": "request",
        "level": "info",
        "logger": "app.http.access_log",
        "request_id": response.headers["x-request-id"],
        "route": "/graphql",
        "client_id": "test",
        "method": "POST",
        "status": 200,
        "operation": "mutation classifyBatch",
        "outcome": "ok",
        "rows": 5,
    }


def test_log_lines_during_a_request_have_its_id(log_lines: LogLines, api: ApiClient) -> None:
    # when
    parts = upload_parts(CLASSIFY_BATCH, song_csv(song_rows(5)))
    api.multipart(parts, **{"x-request-id": "nightly.2026-11-23"})
    # then
    (line,) = logged(log_lines, "batch ended")
    assert (line["request_id"], line["client_id"], line["rows"]) == ("nightly.2026-11-23", "test", 5)


def test_a_refused_file_is_logged_as_refused(log_lines: LogLines, api: ApiClient) -> None:
    # when
    api.upload(song_csv([*song_rows(2), {**song_rows(1)[0], "tempo": "fast"}]))
    # then
    (line,) = logged(log_lines, "request")
    assert (line["status"], line["outcome"], line["rows"]) == (200, "INVALID_SONG_FILE", 3)


@pytest.mark.parametrize("sent", ["x" * 65, "two words", "<script>", "ü"])
def test_an_invalid_request_id_is_replaced(sent: str, api: ApiClient) -> None:
    response = api.http.get("/livez", headers=[(b"x-request-id", sent.encode())])
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["x-request-id"])


def test_each_request_gets_its_own_id(api: ApiClient) -> None:
    first, second = (api.http.get("/livez").headers["x-request-id"] for _ in range(2))
    assert first != second


def test_a_request_without_credentials_is_logged_without_a_client_id(
    log_lines: LogLines, api: ApiClient
) -> None:
    # when
    response = httpx.post(f"{api.url}/graphql", headers={"client-id": "test", "client-secret": "guess"})
    # then
    (line,) = logged(log_lines, "request")
    assert (line["status"], line["request_id"]) == (401, response.headers["x-request-id"])
    assert "client_id" not in line


def test_probes_are_only_logged_when_they_fail(
    log_lines: LogLines,
    api: ApiClient,
    execute_sql: ExecuteSql,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given
    monkeypatch.setattr(monitoring, "KEPT_SECONDS", 0.0)
    for path in ("/livez", "/healthcheck", "/metrics"):
        assert api.http.get(path).status_code == 200
    execute_sql("DROP TABLE songs")
    # when
    api.http.get("/healthcheck")
    # then
    (line,) = logged(log_lines, "request")
    assert (line["route"], line["status"], line["level"]) == ("/healthcheck", 503, "warning")


def test_an_unexpected_error_has_its_request_id_in_log_and_response(
    log_lines: LogLines, api: ApiClient, execute_sql: ExecuteSql
) -> None:
    # given
    execute_sql("ALTER TABLE batches RENAME COLUMN client_id TO somebody")
    # when
    response = api.http.get("/batches/67e55044-10b1-426f-9247-bb680e5fe0c8/songs.csv")
    # then
    (line,) = logged(log_lines, "request")
    assert (response.status_code, line["status"], line["level"]) == (500, 500, "warning")
    assert response.headers["x-request-id"] == line["request_id"]


def test_each_operation_on_a_websocket_is_logged(log_lines: LogLines, api: ApiClient) -> None:
    # when
    with opened(api) as connection:
        greeted(connection, {"client-id": "nightly", "client-secret": "first"})
        for number in ("1", "2"):
            send(connection, type="subscribe", id=number, payload={"query": "{ genres { name } }"})
            assert receive(connection)["type"] == "next"
            assert receive(connection)["type"] == "complete"
    # then
    first, second = logged(log_lines, "operation", 2)
    assert (first["operation"], first["outcome"], first["client_id"]) == ("query genres", "ok", "nightly")
    (closed,) = logged(log_lines, "websocket closed")
    assert first["request_id"] == second["request_id"] == closed["request_id"]


def test_refused_credentials_are_logged_with_the_address(log_lines: LogLines, api: ApiClient) -> None:
    # when
    httpx.get(f"{api.url}/nosuch", headers={"client-id": "test", "client-secret": "guessed"})
    # then
    (line,) = logged(log_lines, "request")
    assert (line["status"], line["address"]) == (401, "127.0.0.1")
    assert "client_id" not in line
