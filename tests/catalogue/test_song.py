from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_row

SONG = """
query ($trackId: ID!) {
  song(trackId: $trackId) {
    id trackId title genre { name songCount } confidence probabilities { genre probability }
    modelVersion classifiedAt batch { fileName }
  }
}
"""


def test_a_stored_song_returns_all_its_fields(api: ApiClient) -> None:
    # given
    before = datetime.now(UTC)
    api.classify(song_csv([song_row(trackID="12345", title="Ça plane, “pour” moi 🎵")]), "punk.csv")
    model = api.execute("{ model { version genres } }")["model"]
    # when
    song = api.execute(SONG, trackId="12345")["song"]
    # then
    assert (song["trackId"], song["title"]) == ("12345", "Ça plane, “pour” moi 🎵")
    assert (song["modelVersion"], song["batch"]) == (model["version"], {"fileName": "punk.csv"})
    probabilities = [entry["probability"] for entry in song["probabilities"]]
    assert sorted(entry["genre"] for entry in song["probabilities"]) == model["genres"]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1.0, abs=1e-9)
    assert (song["genre"]["name"], song["confidence"]) == (
        song["probabilities"][0]["genre"],
        probabilities[0],
    )
    assert before <= datetime.fromisoformat(song["classifiedAt"]) <= datetime.now(UTC)


@pytest.mark.parametrize("track_id", ["0", str(2**63 - 1)])
def test_the_smallest_and_largest_track_ids_work(api: ApiClient, track_id: str) -> None:
    api.classify(song_csv([song_row(trackID=track_id)]))
    assert api.execute("query ($id: ID!) { song(trackId: $id) { trackId } }", id=track_id) == {
        "song": {"trackId": track_id}
    }


@pytest.mark.parametrize("track_id", ["1", str(2**63), "9" * 400])
def test_a_missing_song_is_null(api: ApiClient, track_id: str) -> None:
    assert api.execute(SONG, trackId=track_id) == {"song": None}


@pytest.mark.parametrize("track_id", ["", "abc", "-1", "1.0", "\uff11"])
def test_a_track_id_that_is_not_a_number_is_an_error(api: ApiClient, track_id: str) -> None:
    (error,) = api.errors(SONG, trackId=track_id)
    assert error["extensions"]["code"] == "INVALID_ARGUMENT"
    assert error["message"] == "trackId: must be a whole number, 0 or more"
