from __future__ import annotations

import pytest

from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_row

NODE = """
query ($id: ID!) {
  node(id: $id) { __typename id ... on Song { trackId } ... on Batch { fileName } }
}
"""


def test_node_returns_songs_and_batches_by_id(api: ApiClient) -> None:
    # given
    batch = api.classify(song_csv([song_row(trackID="7")]), "one.csv")
    song = api.execute('{ song(trackId: "7") { id } }')["song"]
    # then
    assert api.execute(NODE, id=song["id"])["node"] == {
        "__typename": "Song",
        "id": song["id"],
        "trackId": "7",
    }
    assert api.execute(NODE, id=batch["id"])["node"] == {
        "__typename": "Batch",
        "id": batch["id"],
        "fileName": "one.csv",
    }


@pytest.mark.parametrize(
    "node_id",
    [
        "U29uZzo4",  # Song:8
        "U29uZzp4",  # Song:x
        "QmF0Y2g6MQ==",  # Batch:1
        "R2VucmU6bWV0YWw=",  # Genre:metal
        "UXVlcnk6MQ==",  # Query:1
    ],
)
def test_node_is_null_for_an_unused_id(api: ApiClient, node_id: str) -> None:
    assert api.execute(NODE, id=node_id) == {"node": None}


@pytest.mark.parametrize("node_id", ["", "nonsense", "🎵"])
def test_a_malformed_node_id_is_a_client_error(api: ApiClient, node_id: str) -> None:
    response = api.post(NODE, {"id": node_id})
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] in {"BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"}
