"""Operations on batches: follow, cancel, verify."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.support.client import ApiClient

CANCEL = "mutation ($id: ID!) { cancelBatch(id: $id) { id status finishedAt rowsClassified } }"


PROGRESS = "subscription ($id: ID!) { batchProgress(id: $id) { status rowsProcessed rowsUploaded } }"


def followed(api: ApiClient, batch_id: str) -> list[dict[str, Any]]:
    """Follow a batch over server-sent events until the server ends the stream."""
    events: list[dict[str, Any]] = []
    request = {"query": PROGRESS, "variables": {"id": batch_id}}
    headers = {"accept": "text/event-stream"}
    with api.http.stream("POST", "/graphql", json=request, headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        for line in response.iter_lines():
            data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
            if data:
                events.append(json.loads(data)["data"]["batchProgress"])
    return events


VERIFY_SONGS = """
mutation ($input: [VerifiedSongInput!]!) {
  verifySongs(input: $input) {
    __typename
    ... on VerifiedSongs { songs { trackId genre { name songCount } verifiedGenre { name } } }
    ... on UnknownSongs { message code trackIds }
  }
}
"""


def verify(api: ApiClient, genres: Mapping[int, str | None]) -> dict[str, Any]:
    songs = [{"trackId": str(track_id), "genre": genre} for track_id, genre in genres.items()]
    return dict(api.execute(VERIFY_SONGS, input=songs)["verifySongs"])


DRIFT = "query ($id: ID!) { batch(id: $id) { status drift { group songsOutside share } } }"


def drift_of(api: ApiClient, batch_id: str) -> Any:
    return api.execute(DRIFT, id=batch_id)["batch"]["drift"]
