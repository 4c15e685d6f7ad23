from __future__ import annotations

import pytest

from app.catalogue.paging import encode_cursor
from tests.conftest import ExecuteSql
from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_rows

PAGE = """
query ($first: Int, $after: String) {
  batches(first: $first, after: $after) {
    totalCount
    edges { cursor node { fileName } }
    nodes { fileName }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""

BATCH = """
query ($id: ID!) {
  batch(id: $id) {
    id fileName status rowsClassified createdAt startedAt finishedAt
    songs(first: 2) { totalCount nodes { title batch { id } } }
    genres { genre { name } songCount }
    model { version }
  }
}
"""

MODEL_AND_SONGS = """
query ($id: ID!) { batch(id: $id) { model { version } songs { nodes { probabilities { genre } } } } }
"""


def test_batches_are_listed_newest_first_in_pages(api: ApiClient) -> None:
    # given
    for name in ("one.csv", "two.csv", "three.csv"):
        api.classify(song_csv(song_rows(1)), name)
    # when
    first = api.execute(PAGE, first=2)["batches"]
    second = api.execute(PAGE, first=2, after=first["pageInfo"]["endCursor"])["batches"]
    # then
    assert [edge["node"]["fileName"] for edge in first["edges"]] == ["three.csv", "two.csv"]
    assert [node["fileName"] for node in second["nodes"]] == ["one.csv"]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    assert (first["totalCount"], second["pageInfo"]["hasPreviousPage"]) == (3, True)


def test_a_batch_returns_all_its_fields(api: ApiClient) -> None:
    # given
    classified = api.classify(song_csv(song_rows(20)), "autumn.csv")
    version = api.execute("{ model { version } }")["model"]["version"]
    # when
    batch = api.execute(BATCH, id=classified["id"])["batch"]
    # then
    assert (batch["id"], batch["fileName"], batch["status"]) == (classified["id"], "autumn.csv", "SUCCEEDED")
    assert batch["createdAt"] <= batch["startedAt"] <= batch["finishedAt"]
    assert batch["songs"]["totalCount"] == batch["rowsClassified"] == 20
    assert [song["batch"]["id"] for song in batch["songs"]["nodes"]] == [batch["id"]] * 2
    assert sum(genre["songCount"] for genre in batch["genres"]) == 20
    assert batch["model"] == {"version": version}


def test_songs_of_a_model_with_an_unreadable_manifest_can_be_read(
    api: ApiClient, execute_sql: ExecuteSql
) -> None:
    # given a manifest in an unknown format
    batch = api.classify(song_csv(song_rows(1)))
    execute_sql("UPDATE models SET manifest = jsonb_build_object('genres', manifest -> 'genres')")
    # when
    data = api.execute(MODEL_AND_SONGS, id=batch["id"])
    # then
    assert data["batch"]["model"] is None
    assert len(data["batch"]["songs"]["nodes"][0]["probabilities"]) == 8


def test_a_missing_batch_is_null(api: ApiClient) -> None:
    missing = "QmF0Y2g6MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAw"
    assert api.execute(BATCH, id=missing) == {"batch": None}


@pytest.mark.parametrize("batch_id", ["U29uZzox", "QmF0Y2g6MQ==", "nonsense", "", "\ud800"])
def test_an_invalid_batch_id_is_a_client_error(api: ApiClient, batch_id: str) -> None:
    (error,) = api.errors(BATCH, id=batch_id)
    assert error["extensions"]["code"] in {"INVALID_ARGUMENT", "BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"}


def test_the_error_for_a_malformed_id_says_what_to_pass(api: ApiClient) -> None:
    (error,) = api.errors(BATCH, id="00000000-0000-0000-0000-000000000000")
    assert error["message"] == "The value is not an ID of this API. Pass the `id` of a `Batch` or `Song`."


ANY_ID = "00000000-0000-0000-0000-000000000001"


@pytest.mark.parametrize(
    "key",
    [
        ("TITLE", "t1", "1"),
        ("TITLE", ANY_ID),
        ("2026-01-01T00:00:00+00:00", "1"),
        ("2026-01-01T00:00:00", ANY_ID),
        ("2026-01-01T00:00:00+25:00", ANY_ID),
        ("0001-01-01T00:00:00+01:00", ANY_ID),
        ("9999-12-31T23:59:59-01:00", ANY_ID),
    ],
)
def test_a_cursor_with_an_impossible_key_is_refused(api: ApiClient, key: tuple[str, ...]) -> None:
    (error,) = api.errors(PAGE, after=encode_cursor(*key))
    assert error["extensions"]["code"] == "INVALID_CURSOR"


def test_batches_with_their_models_take_two_statements(api: ApiClient, statements: list[str]) -> None:
    for _ in range(3):
        api.classify(song_csv(song_rows(1)))
    statements.clear()
    api.execute("{ batches { nodes { fileName model { version } genres { songCount } } } }")
    assert len(statements) == 2
