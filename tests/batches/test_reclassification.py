"""Reclassifying stored songs with the current model."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from tests.conftest import ExecuteSql, StartService
from tests.support import waiting
from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_row, song_rows

CLIENTS = "test:test:admin,writer:secret"

RECLASSIFY = """
mutation ($batchId: ID, $genre: String, $modelVersion: String, $all: Boolean, $minConfidence: Float! = 0) {
  reclassifySongs(
    batchId: $batchId, genre: $genre, modelVersion: $modelVersion, all: $all, minConfidence: $minConfidence
  ) { id status fileName rowsUploaded }
}
"""

BATCH = """
query ($id: ID!) {
  batch(id: $id) {
    status error rowsUploaded rowsProcessed rowsWithMissingValues rowsInvalid rowsDuplicated rowsClassified
    rowsUncertain songsSuperseded resultsUntil genres { genre { name } songCount }
    songs(first: 1000) { nodes { trackId } }
    drift { group songsOutside }
  }
}
"""

SONGS = """{
  songs(first: 1000) {
    nodes { trackId title confidence genre { name } probabilities { genre probability } modelVersion }
  }
  explained: songs(first: 20) { nodes { trackId explanation { feature contribution } } }
}"""

OTHER_MODEL = """
UPDATE songs SET model_version = 'old', predicted_genre = 'pop', confidence = 0.5,
    probabilities = '{0.5,0.5,0,0,0,0,0,0}'
"""


@pytest.fixture
def admin(start_service: StartService) -> ApiClient:
    return start_service(clients=SecretStr(CLIENTS))


def songs(api: ApiClient) -> dict[str, dict[str, Any]]:
    """Return the songs by id; the first ones, which are expensive to explain, with their explanation."""
    lists = api.execute(SONGS)
    explained = {song["trackId"]: song for song in lists["explained"]["nodes"]}
    return {song["trackId"]: song | explained.get(song["trackId"], {}) for song in lists["songs"]["nodes"]}


def reclassify(api: ApiClient, **which: Any) -> dict[str, Any]:
    """Reclassify songs, and return the finished batch."""
    queued = api.execute(RECLASSIFY, **which)["reclassifySongs"]
    return waiting.finished(api, queued["id"], BATCH)


def test_all_songs_get_the_genres_of_the_current_model_bit_for_bit(
    admin: ApiClient, execute_sql: ExecuteSql
) -> None:
    # given songs that, according to the database, another model classified
    rows = song_rows(2_500)
    rows[0] |= {"tempo": "120.1", "vect_1": "0.30000000000000004", "tags": "corazón,love"}
    first = admin.classify(song_csv(rows))
    before = songs(admin)
    execute_sql(OTHER_MODEL)
    assert songs(admin) != before
    # when
    batch = reclassify(admin, all=True)
    # then
    assert songs(admin) == before
    assert (batch["status"], batch["rowsUploaded"], batch["rowsProcessed"]) == ("SUCCEEDED", 2_500, 2_500)
    assert (batch["rowsClassified"], batch["rowsDuplicated"]) == (2_500, 0)
    assert batch["genres"] == [
        {"genre": {"name": one["genre"]["name"]}, "songCount": one["songCount"]} for one in first["genres"]
    ]
    assert admin.execute(BATCH, id=first["id"])["batch"]["songsSuperseded"] == 2_500
    assert len(batch["drift"]) == 3


def test_the_results_of_a_reclassification_can_be_downloaded(admin: ApiClient) -> None:
    # given
    sent = admin.classify(song_csv(song_rows(5)))
    # when
    queued = admin.execute(RECLASSIFY, all=True)["reclassifySongs"]
    assert waiting.finished(admin, queued["id"])["status"] == "SUCCEEDED"

    # then
    def lines(batch_id: str) -> list[str]:
        text = admin.http.get(f"/batches/{batch_id}/songs.csv").text
        return [line.rpartition(",")[0] for line in text.splitlines()]

    assert queued["fileName"] is None
    assert lines(queued["id"]) == lines(sent["id"])


def test_songs_with_missing_values_get_the_same_genres_again(
    admin: ApiClient, execute_sql: ExecuteSql
) -> None:
    # given
    rows = [song_row(trackID="1", tempo=""), song_row(trackID="2", tags=""), song_row(trackID="3")]
    admin.classify(song_csv(rows), onMissingValue="CLASSIFY")
    before = songs(admin)
    execute_sql(OTHER_MODEL)
    # when
    queued = admin.execute(RECLASSIFY, all=True)["reclassifySongs"]
    batch = waiting.finished(
        admin, queued["id"], "query ($id: ID!) { batch(id: $id) { status rowsClassifiedWithMissingValues } }"
    )
    # then
    assert batch == {"status": "SUCCEEDED", "rowsClassifiedWithMissingValues": 2}
    assert songs(admin) == before


def test_songs_are_selected_by_batch_genre_and_model(admin: ApiClient, execute_sql: ExecuteSql) -> None:
    # given
    first = admin.classify(song_csv(song_rows(6)))["id"]
    admin.classify(song_csv([song_row(trackID=str(n)) for n in (5, 6, 7, 8)]))
    execute_sql("UPDATE songs SET predicted_genre = 'pop' WHERE track_id IN (1, 7)")
    execute_sql("UPDATE songs SET predicted_genre = 'metal' WHERE track_id NOT IN (1, 7)")
    execute_sql("UPDATE songs SET model_version = 'old' WHERE track_id IN (1, 2, 8)")

    def chosen(**which: Any) -> int:
        # undone for the next iteration
        execute_sql("CREATE TABLE kept AS SELECT * FROM songs")
        batch = reclassify(admin, **which)
        execute_sql(
            "UPDATE songs SET predicted_genre = kept.predicted_genre, model_version = kept.model_version, "
            "batch_id = kept.batch_id FROM kept WHERE kept.track_id = songs.track_id"
        )
        execute_sql("DROP TABLE kept")
        assert batch["status"] == "SUCCEEDED"
        return int(batch["rowsClassified"])

    # then
    assert chosen(batchId=first) == 4
    assert chosen(genre="pop") == 2
    assert chosen(modelVersion="old") == 3
    assert chosen(batchId=first, modelVersion="old") == 2
    assert chosen(batchId=first, genre="pop", modelVersion="old") == 1
    assert chosen(modelVersion="unknown") == 0


def test_a_reclassification_respects_verified_genres_and_the_minimum_confidence(
    admin: ApiClient, execute_sql: ExecuteSql
) -> None:
    admin.classify(song_csv(song_rows(5)))
    execute_sql("UPDATE songs SET verified_genre = 'polka' WHERE track_id = 1")

    batch = reclassify(admin, all=True, minConfidence=1.0)

    assert batch["rowsUncertain"] == 5
    assert songs(admin)["1"]["genre"]["name"] == "polka"


def test_songs_that_change_meanwhile_stay_unchanged(
    start_service: StartService, execute_sql: ExecuteSql
) -> None:
    # given a reclassification that is blocked after reading three songs
    without_worker = start_service(clients=SecretStr(CLIENTS), worker_concurrency=0)
    without_worker.classify(song_csv(song_rows(3)))
    execute_sql("""
        CREATE TABLE gate AS SELECT; CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.batch_id = (SELECT id FROM batches WHERE selection IS NOT NULL) THEN
                WHILE EXISTS (SELECT FROM gate) LOOP PERFORM pg_sleep(0.02); END LOOP;
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER gate AFTER INSERT ON batch_result_parts FOR EACH ROW EXECUTE FUNCTION wait_at_gate()
    """)
    queued = without_worker.execute(RECLASSIFY, all=True)["reclassifySongs"]
    api = start_service(clients=SecretStr(CLIENTS))
    sleeping = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    waiting.eventually(
        lambda: execute_sql(f"DO $$ BEGIN ASSERT EXISTS ({sleeping}); END $$"), "the songs are read"
    )
    # when one of them is uploaded again, and another is deleted
    sent = without_worker.classify(song_csv([song_row(trackID="1", title="Sent again")]))
    without_worker.execute('mutation { deleteSongs(trackIds: ["2"]) { songsDeleted } }')
    execute_sql("DELETE FROM gate")
    # then
    batch = waiting.finished(api, queued["id"], BATCH)
    assert (batch["status"], batch["rowsUploaded"], batch["rowsClassified"]) == ("SUCCEEDED", 1, 1)
    assert [one["trackId"] for one in batch["songs"]["nodes"]] == ["3"]
    assert songs(api)["1"]["title"] == "Sent again"
    assert "2" not in songs(api)
    mine = api.execute(BATCH, id=sent["id"])["batch"]
    assert (mine["songsSuperseded"], len(mine["songs"]["nodes"])) == (0, 1)
    assert api.http.get(f"/batches/{queued['id']}/songs.jsonl").text.count("\n") == 1


def test_songs_without_stored_features_stay_unchanged(start_service: StartService) -> None:
    # given
    start_service(clients=SecretStr(CLIENTS), keep_features=False).classify(song_csv(song_rows(3)))
    api = start_service(clients=SecretStr(CLIENTS))
    kept = api.classify(song_csv([song_row(trackID="9")]))
    # when
    batch = reclassify(api, all=True)
    # then
    assert (batch["rowsUploaded"], batch["rowsClassified"]) == (1, 1)
    assert api.execute(BATCH, id=kept["id"])["batch"]["songsSuperseded"] == 1


def test_the_same_request_joins_its_unfinished_batch(start_service: StartService) -> None:
    api = start_service(clients=SecretStr(CLIENTS), worker_concurrency=0)
    api.classify(song_csv(song_rows(3)))

    first, again, other = (
        api.execute(RECLASSIFY, **which)["reclassifySongs"]
        for which in ({"all": True}, {"all": True}, {"genre": "pop"})
    )

    assert first["status"] == "QUEUED"
    assert first["id"] == again["id"] != other["id"]


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ({}, "INVALID_ARGUMENT", "reclassifySongs: specify batchId, genre, modelVersion, or all: true"),
        (
            {"all": True, "genre": "pop"},
            "INVALID_ARGUMENT",
            "reclassifySongs: specify batchId, genre, modelVersion, or all: true",
        ),
        ({"batchId": "U29uZzox"}, "INVALID_ARGUMENT", "batchId: is not a batch ID; pass `Batch.id`"),
        ({"modelVersion": "a\0"}, "INVALID_ARGUMENT", "modelVersion: must be text of at most 200 characters"),
        (
            {"all": True, "minConfidence": 2.0},
            "INVALID_ARGUMENT",
            "reclassifySongs.minConfidence: must be from 0 to 1, not 2",
        ),
    ],
)
def test_an_ambiguous_selection_is_refused(
    admin: ApiClient, given: dict[str, Any], code: str, message: str
) -> None:
    (error,) = admin.errors(RECLASSIFY, **given)
    assert (error["extensions"]["code"], error["message"]) == (code, message)


def test_an_unknown_genre_is_refused(admin: ApiClient) -> None:
    (error,) = admin.errors(RECLASSIFY, genre="polka")
    assert error["extensions"]["code"] == "UNKNOWN_GENRE"


def test_writers_cannot_reclassify(admin: ApiClient) -> None:
    with ApiClient(admin.url, "writer", "secret") as writer:
        (error,) = writer.errors(RECLASSIFY, all=True)
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert error["message"] == "Reclassifying songs requires the admin role."


def test_songs_are_found_by_the_model_that_classified_them(admin: ApiClient, execute_sql: ExecuteSql) -> None:
    # given
    admin.classify(song_csv(song_rows(5)))
    execute_sql("UPDATE songs SET model_version = 'old' WHERE track_id IN (2, 4)")
    query = """query ($version: String, $genre: String) {
        songs(modelVersion: $version, genre: $genre) { totalCount nodes { trackId modelVersion } }
    }"""
    # then
    found = admin.execute(query, version="old")["songs"]
    assert found["totalCount"] == 2
    assert sorted(song["trackId"] for song in found["nodes"]) == ["2", "4"]
    version = admin.execute("{ model { version } }")["model"]["version"]
    assert admin.execute(query, version=version)["songs"]["totalCount"] == 3
    assert admin.execute(query, version="none")["songs"] == {"totalCount": 0, "nodes": []}
    (error,) = admin.errors(query, version="v" * 201)
    assert error["message"] == "modelVersion: must be text of at most 200 characters"
