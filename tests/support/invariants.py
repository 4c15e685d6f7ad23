"""Invariants of the database, which hold after any fault."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from tests.support.client import ApiClient
from tests.support.postgres import Database
from tests.support.waiting import BATCH


def uuid_of(batch: Mapping[str, Any]) -> str:
    """Return the database key of a batch."""
    return base64.b64decode(batch["id"]).decode().partition(":")[2]


def batch_of(api: ApiClient, batch_id: str) -> dict[str, Any]:
    batch: dict[str, Any] = api.execute(BATCH, id=batch_id)["batch"]
    return batch


def check(api: ApiClient, database: Database, songs: Mapping[int, AbstractSet[str]]) -> None:
    """Check everything that is stored.

    Args:
        api: a client of the service, which must respond without a restart.
        database: its database.
        songs: track IDs of all songs that must be stored, each with the IDs of the batches that may have
            stored it last.
    """
    stored = {
        row["track_id"]: row["batch_id"] for row in database.rows("SELECT track_id, batch_id FROM songs")
    }
    assert stored.keys() == songs.keys()
    ids = api.execute("{ batches(first: 1000) { nodes { id status } } }")["batches"]["nodes"]
    by_uuid = {row["id"]: row["status"] for row in database.rows("SELECT id, status FROM batches")}
    assert sorted(by_uuid.values()) == sorted(batch["status"] for batch in ids)
    for track_id, batch_id in stored.items():
        assert by_uuid[batch_id] == "SUCCEEDED"
        assert str(batch_id) in songs[track_id], track_id
    counted = {
        row["genre"]: row["songs"]
        for row in database.rows("SELECT genre, count(*) AS songs FROM songs GROUP BY genre")
    }
    kept = api.execute("{ genres { name songCount } }")["genres"]
    assert {genre["name"]: genre["songCount"] for genre in kept} == counted
    leftovers = """
        SELECT 'upload' FROM batch_uploads JOIN batches ON id = batch_id WHERE status <> 'FAILED'
        UNION ALL
        SELECT 'part' FROM batch_upload_parts JOIN batches ON id = batch_id WHERE status <> 'FAILED'
        UNION ALL
        SELECT 'results' FROM batch_result_parts JOIN batches ON id = batch_id WHERE status <> 'SUCCEEDED'
        UNION ALL SELECT 'rows to stage' FROM batch_result_parts WHERE features IS NOT NULL
    """
    assert [row[0] for row in database.rows(leftovers)] == []
