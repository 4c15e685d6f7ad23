from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Iterable
from typing import Any

import pytest

from app import resource
from app.batches import stored_songs
from app.batches.stored_songs import StoredSongsRepository
from app.database.connect import Database
from app.database.engine import connected
from ml.model.artifact import load_ensemble
from ml.model.explanation import Explanations, explain
from ml.songs.contract import Songs
from ml.songs.csv_songs import SongFile
from tests.conftest import ExecuteSql, StartService
from tests.support.client import ApiClient
from tests.support.songs import song, song_csv, song_row, song_rows

EXPLAINED = """
mutation ($input: ClassifySongsInput!, $first: Int) {
  classifySongs(input: $input) {
    ... on ClassifiedSongs {
      songs { trackId genre { name } explanation(first: $first) { feature label value contribution } }
    }
  }
}
"""

TWICE = """
mutation ($input: ClassifySongsInput!) {
  classifySongs(input: $input) {
    ... on ClassifiedSongs {
      songs { one: explanation(first: 1) { feature } explanation { feature contribution } }
    }
  }
}
"""

WITHOUT = """
mutation ($input: ClassifySongsInput!) {
  classifySongs(input: $input) { ... on ClassifiedSongs { songs { trackId confidence } } }
}
"""

STORED = """
query ($genre: String!, $first: Int) {
  song(trackId: "1") { explanation(first: $first) { feature label value contribution } }
  songs(genre: $genre) { nodes { explanation(first: $first) { feature label value contribution } } }
}
"""


def explained(api: ApiClient, *songs: dict[str, Any], **variables: Any) -> list[dict[str, Any]]:
    answer = api.execute(EXPLAINED, input={"songs": list(songs)}, **variables)
    return list(answer["classifySongs"]["songs"])


@pytest.fixture
def explaining_threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the name of the thread of each explanation."""
    threads: list[str] = []

    def noted(*arguments: Any) -> Explanations:
        threads.append(threading.current_thread().name)
        return explain(*arguments)

    monkeypatch.setattr(stored_songs, "explain", noted)
    return threads


def test_songs_have_the_features_with_the_strongest_influence(api: ApiClient) -> None:
    # given the prediction for the same song in a file
    (expected,) = SongFile(io.BytesIO(song_csv([song_row()])), name="songs.csv").chunks()
    ensemble = load_ensemble(resource("model"))
    # when
    (found,) = explained(api, song(), first=20)
    # then
    reasons = explain(ensemble, expected, [found["genre"]["name"]]).strongest(0, 20)
    assert found["explanation"] == [
        {
            "feature": reason.feature,
            "label": reason.label,
            "value": reason.value,
            "contribution": reason.contribution,
        }
        for reason in reasons
    ]
    assert len(found["explanation"]) == 20


def test_an_explanation_has_five_features_by_default(api: ApiClient) -> None:
    (many,) = explained(api, song(), first=20)
    assert api.execute(TWICE, input={"songs": [song()]})["classifySongs"]["songs"] == [
        {
            "one": [{"feature": many["explanation"][0]["feature"]}],
            "explanation": [
                {"feature": reason["feature"], "contribution": reason["contribution"]}
                for reason in many["explanation"][:5]
            ],
        }
    ]
    for first, expected in ((None, 5), (0, 0), (3, 3)):
        (found,) = explained(api, song(), first=first)
        assert found["explanation"] == many["explanation"][:expected]


def test_each_song_has_its_own_explanation_and_the_last_of_repeated_ones_counts(api: ApiClient) -> None:
    # given
    quiet, loud = song(trackId="1", loudness=-40.0), song(trackId="2", loudness=-1.0)
    expected = [explained(api, one, first=20)[0]["explanation"] for one in (loud | {"trackId": "1"}, quiet)]
    assert expected[0] != expected[1]
    # when
    found = explained(api, quiet, quiet | {"trackId": "2"}, loud | {"trackId": "1"}, first=20)
    # then
    assert [(one["trackId"], one["explanation"]) for one in found] == [
        ("1", expected[0]),
        ("2", expected[1]),
    ]


def test_a_skipped_song_does_not_shift_the_explanations_of_others(api: ApiClient) -> None:
    loud = song(trackId="2", loudness=-1.0)
    (alone,) = explained(api, loud)
    assert explained(api, song(trackId="1", tempo=None), loud) == [alone]


def test_all_songs_of_a_request_are_explained_together_in_a_worker_thread(
    api: ApiClient, explaining_threads: list[str]
) -> None:
    # when
    api.execute(TWICE, input={"songs": [song(trackId=str(number)) for number in range(100)]})
    # then
    (thread,) = explaining_threads
    assert thread.startswith("classify")


def test_explanations_are_computed_only_if_requested(api: ApiClient, explaining_threads: list[str]) -> None:
    api.execute(WITHOUT, input={"songs": [song()]})
    assert explaining_threads == []


def test_a_stored_song_is_explained_as_when_it_was_classified(api: ApiClient) -> None:
    # given a song with numbers that have no exact binary representation
    (sent,) = explained(api, song(tempo=120.1, loudness=-9.3, vect=[0.1 * n for n in range(148)]), first=20)
    # then
    assert api.execute(STORED, genre=sent["genre"]["name"], first=20) == {
        "song": {"explanation": sent["explanation"]},
        "songs": {"nodes": [{"explanation": sent["explanation"]}]},
    }


def test_a_song_from_a_file_is_explained_like_one_sent_as_json(api: ApiClient) -> None:
    (sent,) = explained(api, song(tempo=120.1), first=20)
    api.classify(song_csv([song_row(tempo="120.1")]))
    found = api.execute(STORED, genre=sent["genre"]["name"], first=20)
    assert found["song"]["explanation"] == sent["explanation"]


def test_a_page_of_songs_is_explained_together(api: ApiClient, explaining_threads: list[str]) -> None:
    # given
    songs = [song(trackId=str(number), loudness=-float(number)) for number in range(30)]
    sent = {one["trackId"]: one["explanation"] for one in explained(api, *songs)}
    explaining_threads.clear()
    # when
    query = "{ songs { nodes { trackId explanation { feature label value contribution } } } }"
    nodes = api.execute(query)["songs"]["nodes"]
    # then
    assert {one["trackId"]: one["explanation"] for one in nodes} == sent
    (thread,) = explaining_threads
    assert thread.startswith("classify")


def test_a_song_that_another_model_classified_has_no_explanation(
    api: ApiClient, execute_sql: ExecuteSql
) -> None:
    (sent,) = explained(api, song())
    execute_sql("UPDATE songs SET model_version = 'another'")
    found = api.execute(STORED, genre=sent["genre"]["name"])
    assert found == {"song": {"explanation": None}, "songs": {"nodes": [{"explanation": None}]}}


def test_without_stored_features_only_songs_just_sent_are_explained(start_service: StartService) -> None:
    # given
    start_service().classify(song_csv([song_row()]))
    api = start_service(keep_features=False)
    # when
    (sent,) = explained(api, song())
    # then
    assert len(sent["explanation"]) == 5
    found = api.execute(STORED, genre=sent["genre"]["name"])
    assert found == {"song": {"explanation": None}, "songs": {"nodes": [{"explanation": None}]}}


def test_a_genre_is_predicted_from_stored_features_bit_for_bit(api: ApiClient, database_url: str) -> None:
    # given songs from a file with numbers that have no exact binary representation
    rows = song_rows(200)
    rows[0] |= {"tempo": "120.1", "vect_1": "0.30000000000000004", "vect_2": "1e-40", "title": "Motörhead"}
    api.classify(song_csv(rows))
    probabilities = """{ songs(first: 1000) { nodes { trackId probabilities { genre probability } } } }"""
    answered = {
        int(one["trackId"]): {it["genre"]: it["probability"] for it in one["probabilities"]}
        for one in api.execute(probabilities)["songs"]["nodes"]
    }
    # when
    stored = asyncio.run(read_stored_songs(database_url, answered))
    ensemble = load_ensemble(resource("model"))
    predicted = ensemble.classify(stored).probabilities.tolist()
    # then
    assert {
        track_id: dict(zip(ensemble.genres, row, strict=True))
        for track_id, row in zip(stored.track_ids.tolist(), predicted, strict=True)
    } == answered


async def read_stored_songs(database_url: str, track_ids: Iterable[int]) -> Songs:
    """Return stored songs with their kept features."""
    async with connected(Database(database_url)) as sessions, sessions() as session:
        return await StoredSongsRepository(session).by_track_ids(list(track_ids))


def test_explanations_execute_no_statement(start_service: StartService, statements: list[str]) -> None:
    # given a service without a worker, which would also execute statements
    api = start_service(worker_concurrency=0)
    statements.clear()
    api.execute(WITHOUT, input={"songs": [song()]})
    without = list(statements)
    statements.clear()
    # when
    api.execute(TWICE, input={"songs": [song()]})
    # then
    assert statements == without


@pytest.mark.parametrize("first", [-1, 21])
def test_a_number_of_features_out_of_range_is_refused(api: ApiClient, first: int) -> None:
    (error,) = api.errors(EXPLAINED, input={"songs": [song()]}, first=first)
    assert error["message"] == f"first: must be from 0 to 20, not {first}"
    assert error["extensions"]["code"] == "INVALID_ARGUMENT"
    assert error["path"] == ["classifySongs", "songs", 0, "explanation"]
    query = 'query ($first: Int) { song(trackId: "1") { explanation(first: $first) { feature } } }'
    (error,) = api.errors(query, first=first)
    assert error["message"] == f"first: must be from 0 to 20, not {first}"
