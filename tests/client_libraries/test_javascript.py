"""Common JavaScript clients."""

from __future__ import annotations

import pytest

from tests.client_libraries.conftest import RunScript
from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_rows

STORED = {
    "__typename": "Batch",
    "status": "SUCCEEDED",
    "fileName": "été.csv",
    "rowsUploaded": 31,
    "rowsClassified": 30,
}
PROBLEM = {"line": 3, "column": "tempo", "value": "asd"}


@pytest.mark.parametrize("script", ["fetch.mjs", "apollo.mjs", "urql.mjs"])
def test_a_client_uploads_queries_and_follows(api: ApiClient, run_script: RunScript, script: str) -> None:
    # when
    result = run_script(script)
    # then
    assert result["stored"] == STORED
    refused = result["refused"]
    assert (refused["__typename"], refused["code"]) == ("InvalidSongFile", "INVALID_SONG_FILE")
    assert (refused["problemCount"], refused["problems"]) == (1, [PROBLEM])
    assert result["genres"] == api.execute("{ genres { name songCount } }")["genres"]
    assert sum(genre["songCount"] for genre in result["genres"]) == 30
    assert result["stranger"]["code"] == "UNAUTHENTICATED"
    if script != "fetch.mjs":
        assert (result["queued"], result["ended"], result["rows"]) == ("QUEUED", "SUCCEEDED", 31)
    if script == "urql.mjs":
        assert result["same"] is True


def test_graphql_ws_queries_follows_and_gets_refusals(api: ApiClient, run_script: RunScript) -> None:
    batch = api.classify(song_csv(song_rows(30)), background=True)
    result = run_script("graphql_ws.mjs", BATCH_ID=batch["id"])
    assert result["ended"] == "SUCCEEDED"
    assert result["wrong"] == "Cannot query field 'nothing' on type 'Batch'."
    forbidden = {"code": 4403, "reason": "Forbidden"}
    assert (result["stranger"], result["nobody"]) == (forbidden, forbidden)


def test_all_audits_of_the_graphql_over_http_specification_pass(run_script: RunScript) -> None:
    audits = run_script("audit.mjs")
    assert [audit for audit in audits if audit["status"] != "ok"] == []
    assert len(audits) == 61
