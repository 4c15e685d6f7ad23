"""`Batch.drift`: the number of songs outside the training range."""

from __future__ import annotations

import pytest

from tests.conftest import ExecuteSql, StartService
from tests.support.batches import drift_of
from tests.support.client import ApiClient
from tests.support.metrics import scrape, value
from tests.support.songs import sample_rows, song, song_csv, song_row, strange
from tests.support.waiting import finished


@pytest.mark.parametrize("background", [False, True])
def test_a_batch_counts_songs_outside_the_training_range(background: bool, api: ApiClient) -> None:
    # given: 40 songs, one of them twice
    rows = sample_rows(40)
    file = song_csv([*rows[:30], *map(strange, rows[30:]), strange(rows[39])])
    # when
    batch = api.classify(file, background=background)
    finished(api, batch["id"])
    # then
    metadata, audio, lyrics = drift_of(api, batch["id"])
    assert audio == {"group": "AUDIO", "songsOutside": 11, "share": 11 / 41}
    assert metadata == {"group": "METADATA", "songsOutside": 0, "share": 0.0}
    assert (lyrics["group"], lyrics["share"] < 0.2) == ("LYRICS", True)
    assert value(scrape(api), "songs_outside_training_range_total", group="AUDIO") == 11


def test_songs_sent_as_json_have_drift_too(api: ApiClient) -> None:
    # when
    query = """mutation ($input: ClassifySongsInput!) {
        classifySongs(input: $input) { ... on ClassifiedSongs { batch { drift { group share } } } }
    }"""
    songs = [song(trackId="1", tempo=999.0), song(trackId="2")]
    data = api.execute(query, input={"songs": songs})
    # then
    assert data["classifySongs"]["batch"]["drift"][0] == {"group": "METADATA", "share": 0.5}


def test_drift_adds_up_over_the_chunks_of_a_large_file(api: ApiClient) -> None:
    # given: three chunks
    rows = sample_rows(400)
    many = [row | {"trackID": str(place)} for place, row in enumerate(rows * 11)]
    strange_ones = [strange(row) if place % 4 == 0 else row for place, row in enumerate(many)]
    # when
    batch = api.classify(song_csv(strange_ones), background=True)
    finished(api, batch["id"])
    # then
    audio = drift_of(api, batch["id"])[1]
    assert audio == {"group": "AUDIO", "songsOutside": 1_100, "share": 0.25}


def test_drift_restarts_when_a_batch_restarts_with_another_model(
    start_service: StartService, execute_sql: ExecuteSql
) -> None:
    # given a batch of which a worker with another model has counted one song
    rows = [*sample_rows(4), strange(sample_rows(5)[4])]
    queued = start_service(worker_concurrency=0).classify(song_csv(rows), background=True)
    execute_sql("INSERT INTO models VALUES ('another-model', '{}', now())")
    execute_sql(
        "UPDATE batches SET model_version = 'another-model', status = 'RUNNING', rows_processed = 1, "
        """drift = '{"songs": 1, "METADATA": 1, "AUDIO": 1, "LYRICS": 1}'"""
    )
    execute_sql("UPDATE batch_uploads SET songs_staged = 1, state = '{}'")
    execute_sql("INSERT INTO batch_result_parts SELECT batch_id, 0, 'of another model' FROM batch_uploads")
    # when
    api = start_service()
    finished(api, queued["id"])
    # then
    in_one_go = api.classify(song_csv(rows))
    assert drift_of(api, queued["id"]) == drift_of(api, in_one_go["id"])
    assert drift_of(api, queued["id"])[1] == {"group": "AUDIO", "songsOutside": 1, "share": 0.2}


def test_a_batch_without_songs_has_no_songs_outside_the_range(api: ApiClient) -> None:
    # given a file whose only row lacks a value
    batch = api.classify(song_csv([song_row(tempo="")]))
    # then
    assert batch["rowsClassified"] == 0
    assert drift_of(api, batch["id"]) == [
        {"group": group, "songsOutside": 0, "share": 0.0} for group in ("METADATA", "AUDIO", "LYRICS")
    ]


def test_a_queued_batch_has_no_drift(api: ApiClient, execute_sql: ExecuteSql) -> None:
    # given
    batch = api.classify(song_csv([song_row()]))
    execute_sql("UPDATE batches SET status = 'RUNNING', finished_at = NULL")
    # then
    assert drift_of(api, batch["id"]) is None
