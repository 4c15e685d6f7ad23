"""`onMissingValue: CLASSIFY`: rows with missing values are classified with the values present."""

from __future__ import annotations

from typing import Any

import pytest

from ml.songs.contract import NUMBER_NAMES, TAGS
from tests.support import waiting
from tests.support.client import ApiClient
from tests.support.songs import song, song_csv, song_row

CLASSIFY_SONGS = """
mutation ($input: ClassifySongsInput!) {
  classifySongs(input: $input) {
    __typename
    ... on ClassifiedSongs {
      batch { rowsUploaded rowsWithMissingValues rowsClassified rowsClassifiedWithMissingValues }
    }
    ... on InvalidSongs { problems { kind index column message } }
  }
}
"""

ANSWER = """
trackId title genre { name } probabilities { genre probability } explanation { feature value contribution }
"""

PREDICT_SONGS = f"""
query ($input: ClassifySongsInput!) {{
  predictSongs(input: $input) {{
    ... on PredictedSongs {{
      rowsWithMissingValues rowsClassifiedWithMissingValues songs {{ {ANSWER} }}
    }}
  }}
}}
"""

COUNTS = """
query ($id: ID!) {
  batch(id: $id) {
    status error rowsUploaded rowsWithMissingValues rowsDuplicated rowsClassified
    rowsClassifiedWithMissingValues
  }
}
"""

ANSWERS = f"{{ songs(first: 100) {{ nodes {{ {ANSWER} }} }} }}"

NO_NUMBERS = dict.fromkeys(NUMBER_NAMES, "")
NO_JSON_NUMBERS: dict[str, Any] = dict.fromkeys(
    ("loudness", "tempo", "timeSignature", "key", "mode", "duration", "vect")
)

# The same songs as rows of a file and as JSON: complete, one number missing, no tags, only the first vect
# columns, only tags, only one number.
ROWS = [
    song_row(trackID="1"),
    song_row(trackID="2", tempo="n/a", key="NaN"),
    song_row(trackID="3", tags=" "),
    song_row(trackID="4", **{f"vect_{number}": "" for number in range(25, 149)}),
    song_row(trackID="5", **NO_NUMBERS),
    song_row(trackID="6", **NO_NUMBERS | {TAGS: "", "tempo": "99.5"}),
]
SONGS = [
    song(trackId="1"),
    song(trackId="2", tempo=None, key=None),
    song(trackId="3", tags=[]),
    song(trackId="4", vect=song()["vect"][:24]),
    song(trackId="5", **NO_JSON_NUMBERS),
    {"trackId": "6", "title": "A song", "tempo": 99.5},
]


def in_file(api: ApiClient) -> dict[str, Any]:
    batch = api.classify(song_csv(ROWS), onMissingValue="CLASSIFY")
    return counts(api, batch["id"])


def in_background(api: ApiClient) -> dict[str, Any]:
    batch = api.classify(song_csv(ROWS), onMissingValue="CLASSIFY", background=True)
    return dict(waiting.finished(api, batch["id"], COUNTS))


def as_json(api: ApiClient) -> dict[str, Any]:
    given = {"songs": SONGS, "onMissingValue": "CLASSIFY"}
    return dict(api.execute(CLASSIFY_SONGS, input=given)["classifySongs"]["batch"])


def counts(api: ApiClient, batch_id: str) -> dict[str, Any]:
    return dict(api.execute(COUNTS, id=batch_id)["batch"])


def test_a_song_gets_the_same_genre_from_a_file_and_as_json(api: ApiClient) -> None:
    answers = []
    for send in (in_file, in_background, as_json):
        # when
        batch = send(api)
        # then
        assert (batch["rowsUploaded"], batch["rowsWithMissingValues"]) == (6, 0)
        assert (batch["rowsClassified"], batch["rowsClassifiedWithMissingValues"]) == (6, 5)
        answers.append(api.execute(ANSWERS)["songs"]["nodes"])
    assert len(answers[0]) == 6
    assert answers[0] == answers[1] == answers[2]


def test_predicted_songs_get_the_same_genre(api: ApiClient) -> None:
    # given
    as_json(api)
    stored = api.execute(ANSWERS)["songs"]["nodes"]
    # when
    given = {"songs": SONGS, "onMissingValue": "CLASSIFY"}
    predicted = api.execute(PREDICT_SONGS, input=given)["predictSongs"]
    # then
    assert (predicted["rowsWithMissingValues"], predicted["rowsClassifiedWithMissingValues"]) == (0, 5)
    assert sorted(predicted["songs"], key=lambda found: found["trackId"]) == sorted(
        stored, key=lambda found: found["trackId"]
    )


def test_a_complete_song_gets_the_same_genre_with_either_option(api: ApiClient) -> None:
    api.classify(song_csv(ROWS[:1]))
    answer = api.execute(ANSWERS)
    api.classify(song_csv(ROWS[:1]), onMissingValue="CLASSIFY")
    assert api.execute(ANSWERS) == answer


@pytest.mark.parametrize("background", [False, True])
def test_a_file_may_lack_columns(api: ApiClient, background: bool) -> None:
    # given a file without tags and most vect columns, its first row repeated at the end
    columns = ["trackID", "title", *NUMBER_NAMES[:30]]
    file = song_csv([*ROWS[:2], ROWS[0]], columns=columns)
    # when
    queued = api.classify(file, onMissingValue="CLASSIFY", background=background)
    batch = waiting.finished(api, queued["id"], COUNTS)
    # then
    assert (batch["status"], batch["error"]) == ("SUCCEEDED", None)
    assert (batch["rowsUploaded"], batch["rowsDuplicated"], batch["rowsClassified"]) == (3, 1, 2)
    assert batch["rowsClassifiedWithMissingValues"] == 3


@pytest.mark.parametrize("background", [False, True])
def test_a_file_without_some_columns_is_refused_by_default(api: ApiClient, background: bool) -> None:
    refused = api.classify(song_csv(ROWS, columns=["trackID", "title", "tags"]), background=background)
    assert (refused["__typename"], refused["problems"][0]["kind"]) == ("InvalidSongFile", "MISSING_COLUMN")


def test_the_same_file_with_other_options_is_another_batch(api: ApiClient) -> None:
    file = song_csv(ROWS)
    skipped = api.classify(file, background=True)
    classified = api.classify(file, background=True, onMissingValue="CLASSIFY")
    assert skipped["id"] != classified["id"]
    assert waiting.finished(api, skipped["id"], COUNTS)["rowsClassified"] == 1
    assert waiting.finished(api, classified["id"], COUNTS)["rowsClassified"] == 6


def test_title_track_id_and_one_value_are_required(api: ApiClient) -> None:
    # given
    nothing = {**NO_JSON_NUMBERS, "tags": None}
    songs = [song(trackId=""), song(trackId="2", title=None), song(trackId="3", **nothing), song(trackId="4")]
    # when
    given = {"songs": songs, "onMissingValue": "CLASSIFY"}
    batch = api.execute(CLASSIFY_SONGS, input=given)["classifySongs"]["batch"]
    # then
    assert batch == {
        "rowsUploaded": 4,
        "rowsWithMissingValues": 3,
        "rowsClassified": 1,
        "rowsClassifiedWithMissingValues": 0,
    }


@pytest.mark.parametrize(("option", "length"), [("SKIP_ROW", 147), ("SKIP_ROW", 0), ("CLASSIFY", 149)])
def test_another_number_of_audio_features_is_refused(api: ApiClient, option: str, length: int) -> None:
    given = {"songs": [song(), song(vect=[0.5] * length)], "onMissingValue": option}
    (problem,) = api.execute(CLASSIFY_SONGS, input=given)["classifySongs"]["problems"]
    assert problem == {
        "kind": "RAGGED_ROW",
        "index": 1,
        "column": "vect",
        "message": f"Song 1, column vect: expected the 148 audio features, found '{length} values'.",
    }


def test_an_invalid_value_is_refused_beside_missing_ones(api: ApiClient) -> None:
    result = api.classify(song_csv([song_row(tempo="", key="x")]), onMissingValue="CLASSIFY")
    (problem,) = result["problems"]
    assert (problem["kind"], problem["column"], problem["value"]) == ("NOT_A_NUMBER", "key", "x")
