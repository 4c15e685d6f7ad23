"""A song's genre does not depend on anything outside the song."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_rows

SONGS = """
{
  songs(first: 1000) {
    nodes { trackId title genre { name } confidence probabilities { genre probability } }
  }
}
"""

Row = dict[str, str]


def predictions(api: ApiClient, file: bytes) -> dict[str, dict[str, Any]]:
    """Classify a file, and return its stored songs by title."""
    assert api.classify(file)["rowsClassified"] == 60
    return {song["title"]: song for song in api.execute(SONGS)["songs"]["nodes"]}


@pytest.fixture
def rows() -> list[Row]:
    return [row | {"title": f"Song {number}"} for number, row in enumerate(song_rows(60, seed=5))]


def test_the_order_of_rows_does_not_change_genres(api: ApiClient, rows: list[Row]) -> None:
    before = predictions(api, song_csv(rows))

    assert predictions(api, song_csv([*rows[40:], *reversed(rows[:40])])) == before


def test_the_order_of_columns_and_extra_columns_do_not_change_genres(api: ApiClient, rows: list[Row]) -> None:
    before = predictions(api, song_csv(rows))
    columns = ["artist", *reversed(rows[0]), "year", "vect_149"]

    more = [row | {"artist": "Nobody", "year": "1999", "vect_149": "1e9"} for row in rows]

    assert predictions(api, song_csv(more, columns)) == before


def test_track_ids_do_not_change_genres(api: ApiClient, rows: list[Row]) -> None:
    before = predictions(api, song_csv(rows))

    after = predictions(
        api, song_csv([row | {"trackID": str(9_000_000 + int(row["trackID"]))} for row in rows])
    )

    assert [song | {"trackId": ""} for song in after.values()] == [
        song | {"trackId": ""} for song in before.values()
    ]


def test_letter_case_and_order_of_tags_do_not_change_genres(api: ApiClient, rows: list[Row]) -> None:
    before = predictions(api, song_csv(rows))
    for row in rows:
        row["tags"] = ", ".join(reversed(row["tags"].upper().split(",")))

    assert predictions(api, song_csv(rows)) == before


def test_unknown_words_count_as_missing_words(api: ApiClient, rows: list[Row]) -> None:
    before = predictions(api, song_csv([row | {"tags": ","} for row in rows]))

    after = predictions(api, song_csv([row | {"tags": "qqxqq, zzyzz"} for row in rows]))

    assert after == before
    assert all(
        sum(p["probability"] for p in song["probabilities"]) == pytest.approx(1) for song in after.values()
    )
