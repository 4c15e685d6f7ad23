"""Deleting batches and songs."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import SecretStr

from tests.conftest import StartService
from tests.support.client import ApiClient
from tests.support.databases import rows
from tests.support.songs import song_csv, song_row, song_rows
from tests.support.waiting import finished

CLIENTS = "test:test,nightly:first,admin:secret:admin"

DELETE_BATCH = """
mutation ($id: ID!, $songs: Boolean) { deleteBatch(id: $id, songs: $songs) { songsDeleted } }
"""
DELETE_SONGS = """
mutation ($trackIds: [ID!], $batchId: ID, $all: Boolean) {
  deleteSongs(trackIds: $trackIds, batchId: $batchId, all: $all) { songsDeleted }
}
"""
STORED = "{ songs(first: 1000) { totalCount nodes { trackId } } genres { songCount } }"


def stored(api: ApiClient) -> list[int]:
    """Return the track IDs of all stored songs, after comparing the counts with them."""
    found = api.execute(STORED)
    track_ids = sorted(int(song["trackId"]) for song in found["songs"]["nodes"])
    assert found["songs"]["totalCount"] == len(track_ids)
    assert sum(genre["songCount"] for genre in found["genres"]) == len(track_ids)
    return track_ids


def upload(api: ApiClient, *track_ids: int) -> str:
    batch = api.classify(song_csv([song_row(trackID=str(track_id)) for track_id in track_ids]))
    return str(batch["id"])


def delete_batch(api: ApiClient, batch_id: str, **options: bool) -> int:
    return int(api.execute(DELETE_BATCH, id=batch_id, **options)["deleteBatch"]["songsDeleted"])


def delete_songs(api: ApiClient, **which: Any) -> int:
    return int(api.execute(DELETE_SONGS, **which)["deleteSongs"]["songsDeleted"])


class TestBatches:
    def test_a_batch_is_deleted_with_its_results_and_its_songs_stay(
        self, api: ApiClient, database_url: str
    ) -> None:
        # given
        file = song_csv([song_row(), song_row(trackID="2", tempo="x")])
        batch = api.classify(file, onInvalidRow="SKIP_ROW")
        # when
        assert delete_batch(api, batch["id"]) == 0
        # then
        assert stored(api) == [1]
        assert api.execute('{ song(trackId: "1") { batch { id } } }') == {"song": {"batch": None}}
        assert api.execute("query ($id: ID!) { batch(id: $id) { id } }", id=batch["id"]) == {"batch": None}
        assert api.http.get(f"/batches/{batch['id']}/songs.csv").status_code == 404
        assert rows(database_url, "SELECT FROM batch_result_parts") == []
        assert rows(database_url, "SELECT FROM batch_problems") == []

    def test_its_songs_are_deleted_on_request_but_not_those_of_later_batches(
        self, api: ApiClient, database_url: str
    ) -> None:
        # given
        first = upload(api, 1, 2, 3)
        upload(api, 3, 4)
        # when
        assert delete_batch(api, first, songs=True) == 2
        # then
        assert stored(api) == [3, 4]
        assert rows(database_url, "SELECT track_id FROM song_features ORDER BY 1") == [(3,), (4,)]

    def test_the_file_of_a_failed_batch_is_deleted_with_it(self, api: ApiClient, database_url: str) -> None:
        failed = api.classify(song_csv([song_row(tempo="x")]), background=True)
        assert finished(api, failed["id"])["status"] == "FAILED"

        assert delete_batch(api, failed["id"], songs=True) == 0

        assert rows(database_url, "SELECT FROM batches") == []

    def test_an_unfinished_batch_must_be_cancelled_first(self, start_service: StartService) -> None:
        # given
        api = start_service(worker_concurrency=0)
        queued = api.classify(song_csv([song_row()]), background=True)
        # when
        (error,) = api.errors(DELETE_BATCH, id=queued["id"])
        # then
        assert error["message"] == "id: the batch is not finished; cancel it with cancelBatch first"
        assert error["extensions"]["code"] == "INVALID_ARGUMENT"
        # and when it is
        api.execute("mutation ($id: ID!) { cancelBatch(id: $id) { id } }", id=queued["id"])
        delete_batch(api, queued["id"])
        assert api.execute("{ batches { totalCount } }") == {"batches": {"totalCount": 0}}

    def test_only_admins_delete_batches_of_other_clients(self, start_service: StartService) -> None:
        # given
        api = start_service(clients=SecretStr(CLIENTS))
        batch = upload(api, 1)
        with (
            ApiClient(api.url, "nightly", "first") as nightly,
            ApiClient(api.url, "admin", "secret") as admin,
        ):
            # then
            (error,) = nightly.errors(DELETE_BATCH, id=batch, songs=True)
            assert error["message"] == "id: there is no such batch"
            (error,) = nightly.errors(DELETE_SONGS, batchId=batch)
            assert error["message"] == "batchId: there is no such batch"
            assert stored(api) == [1]
            assert delete_batch(admin, batch, songs=True) == 1
        assert stored(api) == []


class TestSongs:
    def test_songs_are_deleted_by_track_id_batch_or_all(self, api: ApiClient) -> None:
        # given
        upload(api, *range(10))
        second = upload(api, 8, 9, 10)
        # then
        assert delete_songs(api, trackIds=["3", "4", "4", "99"]) == 2
        assert stored(api) == [0, 1, 2, 5, 6, 7, 8, 9, 10]
        assert delete_songs(api, batchId=second) == 3
        assert stored(api) == [0, 1, 2, 5, 6, 7]
        assert delete_songs(api, trackIds=[]) == 0
        assert delete_songs(api, all=True) == 6
        assert stored(api) == []

    def test_writers_delete_the_songs_that_they_classified_last(self, start_service: StartService) -> None:
        # given
        api = start_service(clients=SecretStr(CLIENTS))
        with (
            ApiClient(api.url, "nightly", "first") as nightly,
            ApiClient(api.url, "admin", "secret") as admin,
        ):
            upload(api, 1, 2, 3)
            upload(nightly, 3, 4)
            # then
            assert delete_songs(api, trackIds=["1", "3", "4"]) == 1
            assert stored(api) == [2, 3, 4]
            assert delete_songs(nightly, all=True) == 2
            assert stored(api) == [2]
            upload(nightly, 5)
            assert delete_songs(admin, all=True) == 2
        assert stored(api) == []

    def test_a_song_whose_batch_was_deleted_belongs_to_the_admins(self, start_service: StartService) -> None:
        api = start_service(clients=SecretStr(CLIENTS))
        delete_batch(api, upload(api, 1))

        assert delete_songs(api, all=True) == 0
        with ApiClient(api.url, "admin", "secret") as admin:
            assert delete_songs(admin, trackIds=["1"]) == 1

    def test_the_download_of_a_batch_outlives_its_songs(self, api: ApiClient) -> None:
        batch = upload(api, 1, 2)
        before = api.http.get(f"/batches/{batch}/songs.csv").text

        delete_songs(api, all=True)

        assert api.http.get(f"/batches/{batch}/songs.csv").text == before

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({}, "deleteSongs: specify exactly one of trackIds, batchId and all: true"),
            ({"all": False}, "deleteSongs: specify exactly one of trackIds, batchId and all: true"),
            (
                {"all": True, "trackIds": ["1"]},
                "deleteSongs: specify exactly one of trackIds, batchId and all: true",
            ),
            ({"trackIds": ["1"] * 1_001}, "trackIds: must contain at most 1,000 track IDs"),
            ({"trackIds": ["1", "-2"]}, "trackIds[1]: must be a whole number from 0 to 9223372036854775807"),
            ({"trackIds": [str(2**63)]}, "trackIds[0]: must be a whole number from 0 to 9223372036854775807"),
            (
                {"trackIds": ["9" * 5_000]},
                "trackIds[0]: must be a whole number from 0 to 9223372036854775807",
            ),
            ({"batchId": "U29uZzox"}, "batchId: is not a batch ID; pass `Batch.id`"),
        ],
    )
    def test_an_ambiguous_selection_deletes_nothing(
        self, api: ApiClient, given: dict[str, Any], message: str
    ) -> None:
        upload(api, 1)

        (error,) = api.errors(DELETE_SONGS, **given)

        assert error["message"] == message
        assert error["extensions"]["code"] == "INVALID_ARGUMENT"
        assert stored(api) == [1]


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_counts_stay_correct_during_concurrent_uploads_and_deletions(
    start_service: StartService, database_url: str, seed: int
) -> None:
    """Six clients at once upload songs of the same sixty track ids, and delete batches and songs."""
    # given
    api = start_service(clients=SecretStr(CLIENTS))
    all_rows = [song_rows(60, seed) for seed in range(4)]

    def one_client(number: int) -> list[str]:
        chosen = random.Random(f"{seed} {number}")  # noqa: S311
        name, secret = ("test", "test") if number % 3 else ("admin", "secret")
        batches: list[str] = []
        queued: list[str] = []
        with ApiClient(api.url, name, secret) as client:
            for _ in range(12):
                step = chosen.random()
                if step < 0.6 or not batches:
                    some = chosen.sample(chosen.choice(all_rows), chosen.randint(1, 40))
                    background = step < 0.15
                    sent = client.classify(song_csv(some), background=background, minConfidence=0.4)
                    (queued if background else batches).append(sent["id"])
                elif step < 0.75:
                    delete_batch(client, batches.pop(chosen.randrange(len(batches))), songs=True)
                elif step < 0.9:
                    delete_songs(client, trackIds=[str(chosen.randint(1, 60)) for _ in range(20)])
                else:
                    delete_songs(client, batchId=chosen.choice(batches))
        return queued

    # when
    with ThreadPoolExecutor(6) as pool:
        queued = [batch for batches in pool.map(one_client, range(6)) for batch in batches]
    with ApiClient(api.url, "admin", "secret") as admin:
        ended = {finished(admin, batch)["status"] for batch in queued}
    # then no request failed, and the counts are correct
    assert ended <= {"SUCCEEDED"}
    assert stored(api)
    kept = "SELECT genre, song_count, uncertain_count FROM genre_counts WHERE song_count <> 0 ORDER BY 1"
    counted = "SELECT genre, count(*), count(*) FILTER (WHERE NOT confident) FROM songs GROUP BY 1 ORDER BY 1"
    assert rows(database_url, kept) == rows(database_url, counted)
    assert rows(database_url, "SELECT track_id FROM song_features ORDER BY 1") == rows(
        database_url, "SELECT track_id FROM songs ORDER BY 1"
    )
    wrong = "SELECT FROM genre_counts WHERE song_count < 0 OR uncertain_count NOT BETWEEN 0 AND song_count"
    assert rows(database_url, wrong) == []
