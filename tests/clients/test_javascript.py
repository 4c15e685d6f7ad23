"""Common JavaScript clients."""

from __future__ import annotations

import pytest

from tests.clients.conftest import RunScript
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
    told = run_script(script)
    # then
    assert told["stored"] == STORED
    refused = told["refused"]
    assert (refused["__typename"], refused["code"]) == ("InvalidSongFile", "INVALID_SONG_FILE")
    assert (refused["problemCount"], refused["problems"]) == (1, [PROBLEM])
    assert told["genres"] == api.execute("{ genres { name songCount } }")["genres"]
    assert sum(genre["songCount"] for genre in told["genres"]) == 30
    assert told["stranger"]["code"] == "UNAUTHENTICATED"
    if script != "fetch.mjs":
        assert (told["queued"], told["ended"], told["rows"]) == ("QUEUED", "SUCCEEDED", 31)
    if script == "urql.mjs":
        assert told["same"] is True


def test_graphql_ws_queries_follows_and_gets_refusals(api: ApiClient, run_script: RunScript) -> None:
    batch = api.classify(song_csv(song_rows(30)), background=True)
    told = run_script("graphql_ws.mjs", BATCH_ID=batch["id"])
    assert told["ended"] == "SUCCEEDED"
    assert told["wrong"] == "Cannot query field 'nothing' on type 'Batch'."
    forbidden = {"code": 4403, "reason": "Forbidden"}
    assert (told["stranger"], told["nobody"]) == (forbidden, forbidden)


def test_all_audits_of_the_graphql_over_http_specification_pass(run_script: RunScript) -> None:
    audits = run_script("audit.mjs")
    assert [audit for audit in audits if audit["status"] != "ok"] == []
    assert len(audits) == 61
