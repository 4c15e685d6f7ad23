"""`genregraph reclassify`, with a real service."""

from __future__ import annotations

import json

import pytest
from pydantic import SecretStr

from tests.conftest import ExecuteSql, StartService
from tests.support.client import ApiClient
from tests.support.command import run
from tests.support.songs import song_csv, song_rows


@pytest.fixture
def admin(start_service: StartService) -> ApiClient:
    return start_service(clients=SecretStr("test:test:admin,writer:secret"))


def test_stored_songs_are_reclassified_and_counted(admin: ApiClient, execute_sql: ExecuteSql) -> None:
    # given
    admin.classify(song_csv(song_rows(5)))
    execute_sql("UPDATE songs SET model_version = 'old' WHERE track_id <= 3")
    # when
    code, output = run("reclassify", "--model-version", "old", "--url", admin.url)
    # then
    assert code == 0, output
    assert "stored songs: 3 rows, 3 songs stored" in output
    assert admin.execute('{ songs(modelVersion: "old") { totalCount } }')["songs"]["totalCount"] == 0


def test_songs_are_filtered_by_batch_and_genre(admin: ApiClient) -> None:
    # given
    sent = admin.classify(song_csv(song_rows(5)))
    genre = sent["genres"][0]
    # when
    code, output = run("reclassify", "--genre", genre["genre"]["name"], "--json", "--url", admin.url)
    # then
    assert code == 0, output
    (outcome,) = json.loads(output)
    assert (outcome["file"], outcome["stored"]) == ("stored songs", True)
    assert outcome["batch"]["rowsClassified"] == genre["songCount"]
    # and the songs that still belong to the batch
    code, output = run("reclassify", "--batch", sent["id"], "--no-wait", "--url", admin.url)
    assert code == 0, output
    assert f"stored songs: {5 - genre['songCount']} rows, classified in the background as batch" in output


@pytest.mark.parametrize("options", [(), ("--all", "--genre", "pop")])
def test_a_filter_or_all_is_required(options: tuple[str, ...]) -> None:
    code, output = run("reclassify", *options)
    assert (code, output) == (2, "genregraph: use --batch, --genre or --model-version, or --all\n")


def test_rejections_print_one_line_and_set_the_exit_code(admin: ApiClient) -> None:
    code, output = run("reclassify", "--genre", "polka", "--url", admin.url)
    assert code == 1
    assert output.startswith("genregraph: Unknown genre 'polka'.")
    writer = ("--client-id", "writer", "--client-secret", "secret", "--url", admin.url)
    assert run("reclassify", "--all", *writer) == (
        3,
        "genregraph: Reclassifying songs requires the admin role.\n",
    )
    code, output = run("reclassify", "--all", "--retries", "0", "--url", "http://127.0.0.1:1")
    assert code == 3
    assert "cannot be reached" in output
