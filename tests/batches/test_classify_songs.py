from __future__ import annotations

from typing import Any

import pytest

from tests.support.client import ApiClient
from tests.support.songs import song, song_csv, song_row

CLASSIFY_SONGS = """
mutation ($input: ClassifySongsInput!) {
  classifySongs(input: $input) {
    __typename
    ... on ClassifiedSongs {
      batch { fileName rowsUploaded rowsWithMissingValues rowsInvalid rowsDuplicated rowsClassified }
      songs { trackId title genre { name } probabilities { genre probability } }
    }
    ... on InvalidSongs { message code problemCount problems { kind index column value message } }
  }
}
"""

SONG = "query ($id: ID!) { song(trackId: $id) { genre { name } probabilities { genre probability } } }"


def classify(api: ApiClient, *songs: dict[str, Any], **options: Any) -> dict[str, Any]:
    return dict(api.execute(CLASSIFY_SONGS, input={"songs": list(songs), **options})["classifySongs"])


def test_songs_are_classified_stored_and_returned_in_order(api: ApiClient) -> None:
    # when
    result = classify(api, song(trackId="30"), song(trackId="10", title="Ten"), song(trackId="20"))
    # then
    assert result["__typename"] == "ClassifiedSongs"
    assert [found["trackId"] for found in result["songs"]] == ["30", "10", "20"]
    assert result["batch"] == {
        "fileName": None,
        "rowsUploaded": 3,
        "rowsWithMissingValues": 0,
        "rowsInvalid": 0,
        "rowsDuplicated": 0,
        "rowsClassified": 3,
    }
    assert api.execute('{ song(trackId: "10") { title } }') == {"song": {"title": "Ten"}}


def test_a_song_sent_as_json_gets_the_same_genre_as_in_a_file(api: ApiClient) -> None:
    # given
    classify(api, song())
    as_json = api.execute(SONG, id="1")
    # when
    api.classify(song_csv([song_row()]))
    # then
    assert api.execute(SONG, id="1") == as_json


def test_a_song_with_a_missing_value_is_counted_and_skipped(api: ApiClient) -> None:
    result = classify(api, song(trackId="1", tempo=None), song(trackId="2", title="  "), song(trackId="3"))
    assert [found["trackId"] for found in result["songs"]] == ["3"]
    assert result["batch"]["rowsWithMissingValues"] == 2


def test_a_repeated_track_id_is_stored_once_and_the_last_wins(api: ApiClient) -> None:
    result = classify(api, song(title="First"), song(title="Last"))
    assert [found["title"] for found in result["songs"]] == ["Last"]
    assert (result["batch"]["rowsDuplicated"], result["batch"]["rowsClassified"]) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "kind", "column", "value"),
    [
        ({"trackId": "abc"}, "NOT_A_NUMBER", "trackID", "abc"),
        ({"trackId": str(2**63)}, "OUT_OF_RANGE", "trackID", str(2**63)),
        ({"tempo": -1.0}, "OUT_OF_RANGE", "tempo", "-1.0"),
        ({"timeSignature": 8}, "OUT_OF_RANGE", "time_signature", "8"),
        ({"vect": [0.0] * 147}, "RAGGED_ROW", "vect", "147 values"),
        ({"title": "a\0b"}, "NOT_TEXT", "title", "a\0b"),
        ({"title": "half \ud800"}, "NOT_TEXT", "title", "half \\ud800"),
        ({"title": "x" * 501}, "TEXT_TOO_LONG", "title", "x" * 99 + "…"),
    ],
)
def test_an_invalid_value_is_reported_with_index_column_and_value_and_nothing_is_stored(
    api: ApiClient, changes: dict[str, Any], kind: str, column: str, value: str
) -> None:
    # when
    result = classify(api, song(trackId="5"), song(**changes))
    # then
    assert (result["__typename"], result["code"]) == ("InvalidSongs", "INVALID_SONGS")
    (problem,) = result["problems"]
    assert (problem["kind"], problem["index"], problem["column"], problem["value"]) == (
        kind,
        1,
        column,
        value,
    )
    assert problem["message"].startswith(f"Song 1, column {column}: expected ")
    assert api.execute("{ songs { totalCount } batches { totalCount } }") == {
        "songs": {"totalCount": 0},
        "batches": {"totalCount": 0},
    }


def test_invalid_songs_can_be_skipped(api: ApiClient) -> None:
    result = classify(api, song(trackId="1", key=12), song(trackId="2"), onInvalidRow="SKIP_ROW")
    assert [found["trackId"] for found in result["songs"]] == ["2"]
    assert result["batch"]["rowsInvalid"] == 1


@pytest.mark.parametrize("count", [0, 1_001])
def test_no_songs_and_more_than_a_thousand_are_refused(api: ApiClient, count: int) -> None:
    (error,) = api.errors(CLASSIFY_SONGS, input={"songs": [song()] * count})
    assert error["extensions"]["code"] == "INVALID_ARGUMENT"
    assert error["message"] == "input.songs: must contain 1 to 1,000 songs"
