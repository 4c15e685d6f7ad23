"""`predictSongs`: predictions for songs that are not stored."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import StartService
from tests.support.client import ApiClient
from tests.support.songs import song

FIELDS = """
trackId title genre { name } confidence confident probabilities { genre probability }
explanation(first: $first) { feature label value contribution text }
"""

PREDICT = (
    """
query ($input: ClassifySongsInput!, $first: Int) {
  predictSongs(input: $input) {
    __typename
    ... on PredictedSongs { modelVersion rowsWithMissingValues rowsInvalid songs {"""
    + FIELDS
    + """} }
    ... on InvalidSongs { message code problemCount problems { kind index column value } }
  }
}
"""
)

CLASSIFY = (
    """
mutation ($input: ClassifySongsInput!, $first: Int) {
  classifySongs(input: $input) { ... on ClassifiedSongs { songs {"""
    + FIELDS
    + "} } } }"
)

STORED = "{ songs { totalCount } batches { totalCount } model { version } }"


def predict(api: ApiClient, *songs: dict[str, Any], first: int = 5, **options: Any) -> dict[str, Any]:
    data = api.execute(PREDICT, input={"songs": list(songs), **options}, first=first)
    return dict(data["predictSongs"])


def test_songs_are_predicted_and_explained_as_in_classify_songs_but_not_stored(api: ApiClient) -> None:
    # given
    songs = [song(trackId=str(n), title=f"Song {n}", tempo=100.1 + n, loudness=-n / 3) for n in range(20)]
    # when
    predicted = predict(api, *songs, first=20, minConfidence=0.4)
    stored = api.execute(STORED)
    # then
    assert stored["songs"]["totalCount"] == stored["batches"]["totalCount"] == 0
    assert predicted["modelVersion"] == stored["model"]["version"]
    assert (predicted["rowsWithMissingValues"], predicted["rowsInvalid"]) == (0, 0)
    variables = {"input": {"songs": songs, "minConfidence": 0.4}, "first": 20}
    assert predicted["songs"] == api.execute(CLASSIFY, **variables)["classifySongs"]["songs"]


def test_predictions_are_in_input_order(api: ApiClient) -> None:
    # given
    quiet, loud = song(trackId="7", loudness=-40.0), song(trackId="7", loudness=-1.0)
    # when
    found = predict(api, loud, song(trackId="1", tempo=None), quiet)
    # then
    assert found["rowsWithMissingValues"] == 1
    assert found["songs"] == [*predict(api, loud)["songs"], *predict(api, quiet)["songs"]]
    assert found["songs"][0]["explanation"] != found["songs"][1]["explanation"]


def test_invalid_songs_are_refused_or_skipped(api: ApiClient) -> None:
    wrong = song(trackId="2", tempo=-1.0)

    refused = predict(api, song(), wrong)
    left_out = predict(api, song(), wrong, onInvalidRow="SKIP_ROW")

    assert (refused["__typename"], refused["code"]) == ("InvalidSongs", "INVALID_SONGS")
    assert refused["problems"] == [{"kind": "OUT_OF_RANGE", "index": 1, "column": "tempo", "value": "-1.0"}]
    assert [one["trackId"] for one in left_out["songs"]] == ["1"]
    assert left_out["rowsInvalid"] == 1
    assert predict(api, song(tempo=None))["songs"] == []


@pytest.mark.parametrize(
    ("songs", "options", "first", "message"),
    [
        (0, {}, 5, "input.songs: must contain 1 to 1,000 songs"),
        (1_001, {}, 5, "input.songs: must contain 1 to 1,000 songs"),
        (1, {"minConfidence": 1.5}, 5, "input.minConfidence: must be from 0 to 1, not 1.5"),
        (1, {}, 21, "first: must be from 0 to 20, not 21"),
    ],
)
def test_arguments_out_of_range_are_refused(
    start_service: StartService, songs: int, options: dict[str, Any], first: int, message: str
) -> None:
    api = start_service(max_query_cost=10_000_000)

    (error,) = api.errors(PREDICT, input={"songs": [song()] * songs, **options}, first=first)

    assert error["message"] == message
    assert error["extensions"]["code"] == "INVALID_ARGUMENT"


def test_a_thousand_songs_may_be_predicted(api: ApiClient) -> None:
    query = """query ($input: ClassifySongsInput!) {
        predictSongs(input: $input) { ... on PredictedSongs { songs { genre { name } confidence } } }
    }"""
    data = api.execute(query, input={"songs": [song(trackId=str(n)) for n in range(1_000)]})
    assert len(data["predictSongs"]["songs"]) == 1_000


def test_the_cost_of_predictions_is_the_number_of_songs(start_service: StartService) -> None:
    # given
    query = """query ($input: ClassifySongsInput!) {
        predictSongs(input: $input) { ... on PredictedSongs { songs { trackId genre { name }
            explanation(first: 2) { text } } } }
    }"""
    api = start_service(max_query_cost=1_000)
    # when
    (error,) = api.errors(query, input={"songs": [song()] * 300})
    # then
    assert error["extensions"]["cost"] == 1 + 1 + 300 * (1 + 2 + 11 + 2)
