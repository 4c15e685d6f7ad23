"""Verifying genres."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from tests.conftest import StartService
from tests.support.batches import VERIFY_SONGS, verify
from tests.support.client import ApiClient
from tests.support.databases import rows
from tests.support.songs import song_csv, song_row, song_rows
from tests.support.waiting import finished

CLIENTS = "test:test,nightly:first,admin:secret:admin,reader:secret:reader"


SONG = """
query ($trackId: ID!) {
  song(trackId: $trackId) {
    genre { name } predictedGenre { name } verifiedGenre { name }
    verification { verifiedBy verifiedAt modelVersion } modelVersion explanation { label }
  }
}
"""


def song(api: ApiClient, track_id: int) -> dict[str, Any]:
    return dict(api.execute(SONG, trackId=str(track_id))["song"])


def counts(api: ApiClient) -> dict[str, int]:
    return {
        genre["name"]: genre["songCount"] for genre in api.execute("{ genres { name songCount } }")["genres"]
    }


def test_a_verified_genre_is_stored_beside_the_predicted_one(api: ApiClient) -> None:
    # given
    api.classify(song_csv([song_row(), song_row(trackID="2")]))
    before = song(api, 1)
    predicted = before["predictedGenre"]
    assert (before["genre"], before["verifiedGenre"], before["verification"]) == (predicted, None, None)
    # when
    verified = verify(api, {2: predicted["name"], 1: "polka"})
    # then
    assert verified == {
        "__typename": "VerifiedSongs",
        "songs": [
            {"trackId": "2", "genre": predicted | {"songCount": 1}, "verifiedGenre": predicted},
            {"trackId": "1", "genre": {"name": "polka", "songCount": 1}, "verifiedGenre": {"name": "polka"}},
        ],
    }
    after = song(api, 1)
    assert (after["genre"], after["predictedGenre"], after["verifiedGenre"]) == (
        {"name": "polka"},
        predicted,
        {"name": "polka"},
    )
    assert after["verification"]["verifiedBy"] == "test"
    assert after["verification"]["modelVersion"] == after["modelVersion"]
    assert after["explanation"] == before["explanation"]
    assert counts(api) == {"polka": 1, predicted["name"]: 1}


def test_null_removes_a_verified_genre(api: ApiClient, database_url: str) -> None:
    # given
    api.classify(song_csv([song_row()]))
    before = song(api, 1)
    verify(api, {1: "polka"})
    first = "SELECT first_verified_at FROM songs"
    ((at,),) = rows(database_url, first)
    # when
    verify(api, {1: None})
    # then
    assert song(api, 1) == before
    assert counts(api) == {before["genre"]["name"]: 1}
    assert rows(database_url, first) == [(at,)]


def test_classifying_a_song_again_keeps_its_verified_genre(start_service: StartService) -> None:
    api = start_service(clients=SecretStr(CLIENTS))
    file = song_csv(song_rows(3))
    api.classify(file)
    verify(api, {1: "polka"})

    api.classify(file)
    finished(api, api.classify(file, background=True)["id"])
    with ApiClient(api.url, "admin", "secret") as admin:
        again = admin.execute("mutation { reclassifySongs(all: true) { id } }")["reclassifySongs"]
        assert finished(admin, again["id"])["rowsClassified"] == 3

    assert song(api, 1)["genre"] == {"name": "polka"}
    assert counts(api)["polka"] == 1


def test_the_first_verifying_client_is_kept_until_the_genre_changes(start_service: StartService) -> None:
    # given
    api = start_service(clients=SecretStr(CLIENTS))
    api.classify(song_csv([song_row()]))
    with (
        ApiClient(api.url, "nightly", "first") as nightly,
        ApiClient(api.url, "admin", "secret") as admin,
    ):
        verify(api, {1: "polka"})
        before = song(api, 1)["verification"]
        # when another client verifies the same genre
        verify(nightly, {1: "polka"})
        assert song(api, 1)["verification"] == before
        assert song(nightly, 1)["verification"] == before | {"verifiedBy": None}
        # and then another genre
        verify(nightly, {1: "ska"})
        after = song(admin, 1)["verification"]
    assert after["verifiedBy"] == "nightly"
    assert after["verifiedAt"] > before["verifiedAt"]


def test_songs_are_listed_by_whether_they_are_verified(api: ApiClient) -> None:
    api.classify(song_csv(song_rows(5)))
    verify(api, {2: "polka", 4: "polka", 5: "ska"})
    query = """query ($verified: Boolean, $genre: String) {
        songs(verified: $verified, genre: $genre) { totalCount nodes { trackId } }
    }"""

    def listed(**which: Any) -> list[int]:
        found = api.execute(query, **which)["songs"]
        assert found["totalCount"] == len(found["nodes"])
        return sorted(int(node["trackId"]) for node in found["nodes"])

    assert listed(verified=True) == [2, 4, 5]
    assert listed(verified=False) == [1, 3]
    assert listed(verified=True, genre="polka") == [2, 4]
    assert listed(verified=None) == [1, 2, 3, 4, 5]


def test_unknown_songs_are_listed_and_nothing_is_verified(api: ApiClient) -> None:
    api.classify(song_csv([song_row()]))

    assert verify(api, {9: "polka", 1: "polka", 7: None}) == {
        "__typename": "UnknownSongs",
        "message": "2 songs are not in the catalogue, so nothing was verified. Remove the unknown track IDs.",
        "code": "UNKNOWN_SONGS",
        "trackIds": ["9", "7"],
    }
    assert song(api, 1)["verifiedGenre"] is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "input: must contain 1 to 1,000 songs"),
        ([{"trackId": "1", "genre": "pop"}] * 1_001, "input: must contain 1 to 1,000 songs"),
        (
            [{"trackId": "x", "genre": "pop"}],
            "input[0].trackId: must be a whole number from 0 to 9223372036854775807",
        ),
        (
            [{"trackId": "1", "genre": "pop"}, {"trackId": "01", "genre": "pop"}],
            "input[1].trackId: 1 appears more than once",
        ),
        ([{"trackId": "1"}], "input[0].genre: genre is required; use null to remove the verification"),
        ([{"trackId": "1", "genre": ""}], "genre: must have 1 to 100 printable characters, not ''"),
        (
            [{"trackId": "1", "genre": "g" * 101}],
            f"genre: must have 1 to 100 printable characters, not '{'g' * 100}'",
        ),
        (
            [{"trackId": "1", "genre": "a\0"}],
            "genre: must have 1 to 100 printable characters, not 'a\\x00'",
        ),
        (
            [{"trackId": "1", "genre": "\ud800"}],
            "genre: must have 1 to 100 printable characters, not '\\ud800'",
        ),
        ([{"trackId": "1", "genre": "pop "}], "genre: 'pop ' has leading or trailing spaces; remove them"),
        ([{"trackId": "1", "genre": "Pop"}], "genre: 'Pop' differs from 'pop' only in case; use 'pop'"),
    ],
    ids=range(11),
)
def test_invalid_verifications_change_nothing(
    api: ApiClient, given: list[dict[str, str]], message: str
) -> None:
    api.classify(song_csv([song_row()]))

    (error,) = api.errors(VERIFY_SONGS, input=given)

    assert (error["extensions"]["code"], error["message"]) == ("INVALID_ARGUMENT", message)
    assert song(api, 1)["verifiedGenre"] is None


def test_readers_cannot_verify(start_service: StartService) -> None:
    api = start_service(clients=SecretStr(CLIENTS))
    api.classify(song_csv([song_row()]))
    with ApiClient(api.url, "reader", "secret") as reader:
        (error,) = reader.errors(VERIFY_SONGS, input=[{"trackId": "1", "genre": "pop"}])
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert error["message"] == "This client is read-only; changing what is stored requires the writer role."


def test_the_log_says_which_client_verified_how_many_songs(api: ApiClient) -> None:
    api.classify(song_csv(song_rows(3)))
    verify(api, {1: "polka"})
    with capture_logs() as lines:
        verify(api, {1: "polka", 2: "polka"})
    (line,) = [line for line in lines if line["event"] == "songs verified"]
    assert (line["client_id"], line["songs"], line["changed"]) == ("test", 2, 1)


@pytest.mark.parametrize(("seed", "turns"), [(0, 5), pytest.param(1, 12, marks=pytest.mark.slow)])
def test_no_verification_is_lost_while_batches_merge_the_same_songs(
    start_service: StartService, database_url: str, seed: int, turns: int
) -> None:
    """Twenty clients verify their own and shared songs, while six upload them."""
    # given
    api = start_service(clients=SecretStr(CLIENTS))
    rows_by_upload = [song_rows(100, upload) for upload in range(6)]
    api.classify(song_csv(rows_by_upload[0]))
    shared = range(81, 101)

    def verify_songs(number: int) -> dict[int, str | None]:
        chosen = random.Random(f"{seed} {number}")  # noqa: S311
        verified: dict[int, str | None] = {}
        own = range(number * 4 + 1, number * 4 + 5)
        with ApiClient(api.url) as client:
            for _ in range(turns):
                songs = chosen.sample([*own, *shared], chosen.randint(1, 12))
                genres = {song: chosen.choice(("pop", "polka", f"genre {number}", None)) for song in songs}
                assert verify(client, genres)["__typename"] == "VerifiedSongs"
                verified |= genres
        return verified

    def upload_songs(number: int) -> list[str]:
        chosen = random.Random(f"{seed} {number} uploads")  # noqa: S311
        queued = []
        with ApiClient(api.url) as client:
            for turn in range(turns // 2):
                some = chosen.sample(rows_by_upload[number], chosen.randint(20, 100))
                sent = client.classify(song_csv(some), background=turn % 2 == 1, minConfidence=0.4)
                queued.append(sent["id"])
        return queued

    # when
    with ThreadPoolExecutor(26) as pool:
        verifiers = [pool.submit(verify_songs, number) for number in range(20)]
        uploaders = [pool.submit(upload_songs, number) for number in range(6)]
        by_client = [verifier.result() for verifier in verifiers]
        batches = [batch for uploader in uploaders for batch in uploader.result()]
    assert {finished(api, batch)["status"] for batch in batches} == {"SUCCEEDED"}
    # then
    stored = rows(database_url, "SELECT track_id, verified_genre FROM songs WHERE verified_genre IS NOT NULL")
    verified = dict(stored)
    last = {track_id: [one[track_id] for one in by_client if track_id in one] for track_id in range(1, 101)}
    assert {
        track_id for track_id, genres in last.items() if verified.get(track_id) not in (genres or [None])
    } == set()
    kept = "SELECT genre, song_count, uncertain_count FROM genre_counts WHERE song_count <> 0 ORDER BY 1"
    counted = "SELECT genre, count(*), count(*) FILTER (WHERE NOT confident) FROM songs GROUP BY 1 ORDER BY 1"
    assert rows(database_url, kept) == rows(database_url, counted)
    assert counts(api) == dict(rows(database_url, "SELECT genre, count(*) FROM songs GROUP BY 1"))
