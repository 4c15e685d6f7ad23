"""`genregraph learn`: improve the model with verified songs of the database."""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path

import pytest
from pydantic import SecretStr

from ml.model.artifact import read_manifest
from tests.conftest import ExecuteSql, StartService
from tests.support.client import ApiClient
from tests.support.command import run
from tests.support.songs import song_csv, song_rows

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
SONGS, VERIFIED = 400, 100


def sample_genres() -> dict[str, str]:
    with (SAMPLE / "labels.csv").open(encoding="utf-8", newline="") as file:
        return {row["trackID"]: row["genre"] for row in islice(csv.DictReader(file), SONGS)}


def verify(api: ApiClient, genres: dict[str, str]) -> None:
    query = """mutation ($input: [VerifiedSongInput!]!) {
        verifySongs(input: $input) { __typename ... on Error { message } }
    }"""
    given = [{"trackId": track_id, "genre": genre} for track_id, genre in genres.items()]
    answer = api.execute(query, input=given)["verifySongs"]
    assert "Error" not in answer["__typename"], answer


def right(api: ApiClient, genres: dict[str, str]) -> float:
    """Return the share of songs with this predicted genre."""
    songs = api.execute("{ songs(first: 1000) { nodes { trackId predictedGenre { name } } } }")["songs"][
        "nodes"
    ]
    found = {song["trackId"]: song["predictedGenre"]["name"] for song in songs}
    hits = [found[track_id] == genre for track_id, genre in genres.items()]
    return hits.count(True) / len(hits)


@pytest.mark.slow
def test_learning_from_verified_songs_improves_the_catalogue(
    start_service: StartService, database_url: str, tmp_path: Path
) -> None:
    # given
    clients, out = SecretStr("test:test:admin"), tmp_path / "learned"
    api = start_service(clients=clients, worker_concurrency=0)
    lines = (SAMPLE / "features.csv").read_bytes().splitlines(keepends=True)
    api.classify(b"".join(lines[: SONGS + 1]))
    genres = {
        track_id: f"new {genre}" if genre == "folk" else genre for track_id, genre in sample_genres().items()
    }
    verified, others = dict([*genres.items()][:VERIFIED]), dict([*genres.items()][VERIFIED:])
    before = right(api, others)
    verify(api, verified)
    # when
    code, output = run("learn", "--out", out, GENREGRAPH_DATABASE_URL=database_url)
    # then
    assert code == 0, output
    manifest = read_manifest(out)
    assert f"Model {manifest.model_version} is in {out}. It learned from 100 songs. Next:" in output
    assert f"GENREGRAPH_MODEL_DIR={out} genregraph serve\n" in output
    assert "new folk" in manifest.genres
    # and a service with the new model classifies the other songs better
    learned = start_service(clients=clients, model_dir=out)
    code, output = run("reclassify", "--all", "--url", learned.url)
    assert code == 0, output
    assert right(learned, others) > before + 0.05


def test_without_verified_songs_it_says_what_to_do(
    api: ApiClient, execute_sql: ExecuteSql, database_url: str, tmp_path: Path
) -> None:
    # given
    api.classify(song_csv(song_rows(3)))
    settings = {"GENREGRAPH_DATABASE_URL": database_url}
    # when
    answer = run("learn", "--out", tmp_path / "out", **settings)
    # then
    advice = (
        "no verified song has kept features. Verify songs under Review on the page or with `genregraph "
        "verify`, and keep GENREGRAPH_KEEP_FEATURES=true."
    )
    assert answer == (1, f"genregraph: {advice}\n")
    # and the same if their features are not kept
    verify(api, {"1": "polka", "2": "polka"})
    execute_sql("DELETE FROM song_features")
    assert run("learn", "--out", tmp_path / "out", **settings) == (1, f"genregraph: {advice}\n")


def test_too_few_songs_and_a_missing_model_are_reported(
    api: ApiClient, database_url: str, tmp_path: Path
) -> None:
    # given
    api.classify(song_csv(song_rows(3)))
    verify(api, {"1": "folk", "2": "pop"})
    settings = {"GENREGRAPH_DATABASE_URL": database_url}
    # when
    code, output = run("learn", "--out", tmp_path / "out", **settings)
    # then
    assert code == 1
    assert output.startswith("genregraph: 2 verified songs can be learned from, 10 are needed. ")
    # and
    code, output = run("learn", **settings, GENREGRAPH_MODEL_DIR=str(tmp_path))
    assert code == 1
    assert output.startswith(f"genregraph: the model in {tmp_path} cannot be used: ")
    assert list(tmp_path.iterdir()) == []
