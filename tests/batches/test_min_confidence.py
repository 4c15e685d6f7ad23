from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

import pytest

from tests.support.client import ApiClient
from tests.support.songs import song as song_as_json
from tests.support.songs import song_csv, song_rows

CLASSIFY_SONGS = """
mutation ($input: ClassifySongsInput!) {
  classifySongs(input: $input) {
    ... on ClassifiedSongs {
      batch { minConfidence rowsUncertain rowsClassified }
      songs { trackId genre { name } confidence confident }
    }
  }
}
"""

SONGS = """
query ($genre: String, $titleContains: String, $batchId: ID, $confident: Boolean, $first: Int = 1000,
       $after: String) {
  songs(genre: $genre, titleContains: $titleContains, batchId: $batchId, confident: $confident,
        first: $first, after: $after) {
    totalCount
    nodes { trackId title genre { name } confidence confident }
    pageInfo { hasNextPage endCursor }
  }
}
"""

BATCH = "query ($id: ID!) { batch(id: $id) { minConfidence rowsUncertain rowsClassified } }"


def stored(api: ApiClient, **conditions: Any) -> list[dict[str, Any]]:
    """Return the matching songs from one page, after comparing `totalCount`."""
    page = api.execute(SONGS, **conditions)["songs"]
    assert page["totalCount"] == len(page["nodes"])
    return list(page["nodes"])


def track_ids(songs: Iterable[dict[str, Any]]) -> list[str]:
    return [song["trackId"] for song in songs]


def confidences(api: ApiClient, rows: list[dict[str, str]]) -> dict[str, float]:
    """Store these songs without a minimum confidence; return their confidences by track ID."""
    api.classify(song_csv(rows))
    return {song["trackId"]: song["confidence"] for song in stored(api)}


def test_without_a_minimum_every_song_is_confident(api: ApiClient) -> None:
    # when
    batch = api.classify(song_csv(song_rows(50)))
    # then
    assert {song["confident"] for song in stored(api)} == {True}
    assert stored(api, confident=False) == []
    assert api.execute(BATCH, id=batch["id"])["batch"] == {
        "minConfidence": 0,
        "rowsUncertain": 0,
        "rowsClassified": 50,
    }


def test_songs_of_a_file_below_the_minimum_are_uncertain_and_keep_their_genre(api: ApiClient) -> None:
    # given a minimum equal to the confidence of one song
    rows = song_rows(51)
    known = confidences(api, rows)
    genres = {song["trackId"]: song["genre"] for song in stored(api)}
    minimum = statistics.median(known.values())
    below = {track_id for track_id, confidence in known.items() if confidence < minimum}
    assert len(below) == 25
    # when
    batch = api.classify(song_csv(rows), minConfidence=minimum)
    # then
    found = stored(api)
    assert {song["trackId"] for song in found if not song["confident"]} == below
    assert {song["trackId"]: song["genre"] for song in found} == genres
    assert {song["trackId"]: song["confidence"] for song in found} == known
    assert api.execute(BATCH, id=batch["id"])["batch"] == {
        "minConfidence": minimum,
        "rowsUncertain": 25,
        "rowsClassified": 51,
    }


def test_songs_as_json_below_the_minimum_are_uncertain(api: ApiClient) -> None:
    # given two songs, and the higher confidence as the minimum
    songs = [song_as_json(trackId="1"), song_as_json(trackId="2", tags=["jah", "rasta", "babylon"])]
    given = api.execute(CLASSIFY_SONGS, input={"songs": songs})["classifySongs"]["songs"]
    minimum = max(song["confidence"] for song in given)
    # when
    result = api.execute(CLASSIFY_SONGS, input={"songs": songs, "minConfidence": minimum})["classifySongs"]
    # then
    assert [(song["confident"], song["genre"]) for song in result["songs"]] == [
        (song["confidence"] == minimum, song["genre"]) for song in given
    ]
    assert result["batch"] == {"minConfidence": minimum, "rowsUncertain": 1, "rowsClassified": 2}


def test_reclassifying_a_song_updates_its_state_and_the_counts(api: ApiClient) -> None:
    rows = song_rows(40)
    for minimum, uncertain in ((1, 40), (0, 0), (1, 40)):
        # when
        batch = api.classify(song_csv(rows), minConfidence=minimum)
        # then
        assert len(stored(api, confident=False)) == uncertain
        assert len(stored(api, confident=True)) == 40 - uncertain
        assert len(stored(api)) == 40
        assert api.execute(BATCH, id=batch["id"])["batch"]["rowsUncertain"] == uncertain


def test_repeated_rows_count_once_as_uncertain(api: ApiClient) -> None:
    batch = api.classify(song_csv([*song_rows(3), song_rows(3)[0]]), minConfidence=1)
    assert batch["rowsDuplicated"] == 1
    assert api.execute(BATCH, id=batch["id"])["batch"]["rowsUncertain"] == 3


@pytest.mark.parametrize("confident", [True, False])
def test_the_filter_can_be_combined_with_every_other(api: ApiClient, confident: bool) -> None:
    # given two batches, each with confident and uncertain songs
    rows = song_rows(200)
    minimum = statistics.median(confidences(api, rows).values())
    earlier = api.classify(song_csv(rows), minConfidence=minimum)["id"]
    later = api.classify(song_csv(rows[:90]), minConfidence=minimum)["id"]
    of_later = {row["trackID"] for row in rows[:90]}
    every = stored(api)
    fitting = [song for song in every if song["confident"] is confident]
    assert 0 < len(fitting) < len(every)
    # then
    assert track_ids(stored(api, confident=confident)) == track_ids(fitting)
    for genre in {song["genre"]["name"] for song in every}:
        assert track_ids(stored(api, confident=confident, genre=genre)) == track_ids(
            song for song in fitting if song["genre"]["name"] == genre
        )
    for batch_id, is_later in ((earlier, False), (later, True)):
        assert track_ids(stored(api, confident=confident, batchId=batch_id)) == track_ids(
            song for song in fitting if (song["trackId"] in of_later) is is_later
        )
    with_night = [song for song in fitting if "night" in song["title"].lower()]
    assert with_night
    assert track_ids(stored(api, confident=confident, titleContains="NIGHT")) == track_ids(with_night)
    one = with_night[0]["genre"]["name"]
    assert track_ids(
        stored(api, confident=confident, titleContains="night", genre=one, batchId=later)
    ) == track_ids(
        song for song in with_night if song["genre"]["name"] == one and song["trackId"] in of_later
    )


def test_the_count_of_a_genre_includes_uncertain_songs(api: ApiClient) -> None:
    rows = song_rows(100)
    minimum = statistics.median(confidences(api, rows).values())
    before = api.execute("{ genres { name songCount } }")
    api.classify(song_csv(rows), minConfidence=minimum)
    assert api.execute("{ genres { name songCount } }") == before


@pytest.mark.parametrize("confident", [True, False])
def test_the_filtered_list_has_pages(api: ApiClient, confident: bool) -> None:
    # given
    rows = song_rows(60)
    api.classify(song_csv(rows), minConfidence=statistics.median(confidences(api, rows).values()))
    expected = track_ids(stored(api, confident=confident))
    # when
    seen: list[str] = []
    after = None
    while True:
        page = api.execute(SONGS, confident=confident, first=7, after=after)["songs"]
        seen += track_ids(page["nodes"])
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    # then
    assert seen == expected
    assert len(seen) == 30


@pytest.mark.parametrize("genre", [None, "metal"])
@pytest.mark.parametrize("confident", [True, False])
def test_a_filtered_page_takes_one_statement_and_its_count_reads_no_songs(
    api: ApiClient, statements: list[str], confident: bool, genre: str | None
) -> None:
    # given
    api.classify(song_csv(song_rows(5)), minConfidence=0.5)
    statements.clear()
    # when
    api.execute(SONGS, confident=confident, genre=genre)
    # then
    page, count = statements
    conditions = page.partition(" WHERE ")[2].partition(" ORDER BY ")[0].split(" AND ")
    assert ("confident" if confident else "NOT confident") in conditions
    assert "FROM genre_counts" in count
    assert "songs" not in count.partition("FROM ")[2]


@pytest.mark.parametrize(
    ("minimum", "message"),
    [
        (1.01, "must be from 0 to 1, not 1.01"),
        (-0.5, "must be from 0 to 1, not -0.5"),
        (50, "must be from 0 to 1, not 50"),
    ],
)
def test_a_minimum_outside_0_to_1_is_refused_and_nothing_is_stored(
    api: ApiClient, minimum: float, message: str
) -> None:
    # when
    of_file = api.upload(song_csv(song_rows(1)), minConfidence=minimum).json()["errors"]
    of_json = api.errors(CLASSIFY_SONGS, input={"songs": [song_as_json()], "minConfidence": minimum})
    # then
    for errors, argument in ((of_file, "options"), (of_json, "input")):
        (error,) = errors
        assert error["message"] == f"{argument}.minConfidence: {message}"
        assert error["extensions"]["code"] == "INVALID_ARGUMENT"
    assert stored(api) == []


@pytest.mark.parametrize("minimum", ["0.5", None, True])
def test_a_minimum_that_is_not_a_number_is_a_client_error(api: ApiClient, minimum: object) -> None:
    (error,) = api.errors(CLASSIFY_SONGS, input={"songs": [song_as_json()], "minConfidence": minimum})
    assert "minConfidence" in error["message"]
    assert error["extensions"]["code"] in {"BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"}
