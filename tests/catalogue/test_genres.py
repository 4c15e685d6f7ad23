from __future__ import annotations

from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_rows


def test_there_are_no_genres_without_songs(api: ApiClient) -> None:
    assert api.execute("{ genres { name songCount } }") == {"genres": []}


def test_genres_are_sorted_by_name_and_list_their_songs(api: ApiClient) -> None:
    # given
    batch = api.classify(song_csv(song_rows(200)))
    # when
    genres = api.execute(
        "{ genres { name songCount songs(first: 1000) { totalCount nodes { title genre { name } } } } }"
    )["genres"]
    # then
    assert [(genre["name"], genre["songCount"]) for genre in genres] == [
        (found["genre"]["name"], found["songCount"]) for found in batch["genres"]
    ]
    assert [genre["name"] for genre in genres] == sorted(genre["name"] for genre in genres)
    assert sum(genre["songCount"] for genre in genres) == 200
    for genre in genres:
        songs = genre["songs"]["nodes"]
        assert len(songs) == genre["songs"]["totalCount"] == genre["songCount"]
        assert {song["genre"]["name"] for song in songs} == {genre["name"]}
        assert [song["title"] for song in songs] == sorted(song["title"] for song in songs)


def test_all_genres_with_their_counts_take_one_statement(api: ApiClient, statements: list[str]) -> None:
    api.classify(song_csv(song_rows(200)))
    statements.clear()
    api.execute("{ genres { name songCount } }")
    assert len(statements) == 1
