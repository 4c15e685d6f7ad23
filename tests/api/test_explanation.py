from __future__ import annotations

import io
import threading
from typing import Any

import pytest

from app.resources import resource
from app.services import classification
from ml.artifact import load_ensemble
from ml.explanation import Explanations, explain
from ml.song_file import SongFile
from tests.api.test_classify_songs import song
from tests.client import ApiClient
from tests.factories.songs import song_csv, song_row

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

ELSEWHERE = """
query ($genre: String!) {
  song(trackId: "1") { explanation { feature } }
  songs(genre: $genre) { nodes { explanation(first: 99) { feature } } }
}
"""


def explained(api: ApiClient, *songs: dict[str, Any], **variables: Any) -> list[dict[str, Any]]:
    answer = api.execute(EXPLAINED, input={"songs": list(songs)}, **variables)
    return list(answer["classifySongs"]["songs"])


@pytest.fixture
def explaining_threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads that worked out explanations, one entry each time."""
    threads: list[str] = []

    def noted(*arguments: Any) -> Explanations:
        threads.append(threading.current_thread().name)
        return explain(*arguments)

    monkeypatch.setattr(classification, "explain", noted)
    return threads


def test_songs_come_with_what_spoke_most_for_their_genre(api: ApiClient) -> None:
    # given what the model says of the same song in a file
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


def test_five_features_explain_unless_another_number_is_asked_for(api: ApiClient) -> None:
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


def test_each_song_has_its_own_reasons_and_a_repeated_one_those_of_its_last(api: ApiClient) -> None:
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


def test_a_song_left_out_does_not_shift_the_reasons_of_others(api: ApiClient) -> None:
    loud = song(trackId="2", loudness=-1.0)
    (alone,) = explained(api, loud)
    assert explained(api, song(trackId="1", tempo=None), loud) == [alone]


def test_all_songs_of_a_request_are_explained_at_once_in_a_worker_thread(
    api: ApiClient, explaining_threads: list[str]
) -> None:
    # when
    api.execute(TWICE, input={"songs": [song(trackId=str(number)) for number in range(100)]})
    # then
    (thread,) = explaining_threads
    assert thread.startswith("classify")


def test_nothing_is_worked_out_that_is_not_asked_for(api: ApiClient, explaining_threads: list[str]) -> None:
    api.execute(WITHOUT, input={"songs": [song()]})
    assert explaining_threads == []


def test_songs_read_from_the_database_have_no_explanation(
    api: ApiClient, explaining_threads: list[str]
) -> None:
    # given
    (stored,) = explained(api, song())
    explaining_threads.clear()
    # then
    assert api.execute(ELSEWHERE, genre=stored["genre"]["name"]) == {
        "song": {"explanation": None},
        "songs": {"nodes": [{"explanation": None}]},
    }
    assert explaining_threads == []


def test_explanations_cost_no_statement(api: ApiClient, statements: list[str]) -> None:
    # given
    api.execute(WITHOUT, input={"songs": [song()]})
    without = list(statements)
    statements.clear()
    # when
    api.execute(TWICE, input={"songs": [song()]})
    # then
    assert statements == without


@pytest.mark.parametrize("first", [-1, 21])
def test_a_number_of_features_out_of_range_is_told(api: ApiClient, first: int) -> None:
    (error,) = api.errors(EXPLAINED, input={"songs": [song()]}, first=first)
    assert error["message"] == f"first: must be from 0 to 20, not {first}"
    assert error["extensions"]["code"] == "INVALID_ARGUMENT"
    assert error["path"] == ["classifySongs", "songs", 0, "explanation"]
