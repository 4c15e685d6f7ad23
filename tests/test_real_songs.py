"""Classify the real songs, which are not part of the repository."""

from __future__ import annotations

import csv

import pytest

from tests.support.client import ApiClient
from tests.support.real_songs import REAL_SONGS, needs_real_songs

pytestmark = [
    pytest.mark.real_songs,
    needs_real_songs,
]


def test_a_batch_is_classified_and_can_be_queried(api: ApiClient) -> None:
    # given
    file = REAL_SONGS / "test.csv"
    with file.open(encoding="utf-8", newline="") as opened:
        titles = {row["trackID"]: row["title"] for row in csv.DictReader(opened)}
    # when
    batch = api.classify(file.read_bytes(), file.name)
    # then
    assert (batch["rowsUploaded"], batch["rowsClassified"], batch["problemCount"]) == (428, 428, 0)
    genres = api.execute("{ genres { name songCount songs(first: 1000) { nodes { trackId title } } } }")[
        "genres"
    ]
    assert [genre["name"] for genre in genres] == [
        "classic pop and rock",
        "dance and electronica",
        "folk",
        "jazz and blues",
        "metal",
        "pop",
        "punk",
        "soul and reggae",
    ]
    stored = {song["trackId"]: song["title"] for genre in genres for song in genre["songs"]["nodes"]}
    assert stored == titles
    metal = api.execute('{ songs(genre: "metal", first: 1000) { totalCount nodes { title } } }')["songs"]
    assert metal["totalCount"] == len(metal["nodes"]) == genres[4]["songCount"]


def test_most_training_songs_get_their_own_genre(api: ApiClient) -> None:
    # given
    with (REAL_SONGS / "labels.csv").open(encoding="utf-8", newline="") as opened:
        labels = {row["trackID"]: row["genre"] for row in csv.DictReader(opened)}
    # when
    api.classify((REAL_SONGS / "features.csv").read_bytes())
    # then the songs were trained on, so this checks that features and genres match, not the model's accuracy
    songs = api.execute("{ songs(first: 1000) { nodes { trackId genre { name } } } }")["songs"]["nodes"]
    right = sum(labels[song["trackId"]] == song["genre"]["name"] for song in songs)
    assert len(songs) == 450
    assert right / len(songs) > 0.7
