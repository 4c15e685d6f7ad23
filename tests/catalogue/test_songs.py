from __future__ import annotations

import unicodedata
from typing import Any, Literal

import pytest

from app.catalogue.errors import UnknownGenreError
from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_row

PAGE = """
query ($genre: String, $titleContains: String, $batchId: ID, $first: Int, $after: String) {
  songs(genre: $genre, titleContains: $titleContains, batchId: $batchId, first: $first, after: $after) {
    totalCount
    edges { cursor node { trackId title } }
    nodes { trackId }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""


def store(api: ApiClient, *titles: str, start: int = 1) -> dict[str, Any]:
    """Store songs with these titles and track IDs from `start`."""
    rows = [song_row(trackID=str(start + place), title=title) for place, title in enumerate(titles)]
    return api.classify(song_csv(rows))


def titles(api: ApiClient, **arguments: Any) -> list[str]:
    return [edge["node"]["title"] for edge in api.execute(PAGE, **arguments)["songs"]["edges"]]


def test_songs_are_sorted_by_title_and_then_track_id(api: ApiClient) -> None:
    # given
    store(api, "b", "Zebra", "a", "b", "Élan", "")  # the last is left out
    # when
    songs = api.execute(PAGE)["songs"]
    # then
    assert [(edge["node"]["title"], edge["node"]["trackId"]) for edge in songs["edges"]] == [
        ("Zebra", "2"),
        ("a", "3"),
        ("b", "1"),
        ("b", "4"),
        ("Élan", "5"),
    ]
    assert [node["trackId"] for node in songs["nodes"]] == ["2", "3", "1", "4", "5"]
    assert songs["totalCount"] == 5


def test_pages_have_no_gaps_or_repetitions(api: ApiClient) -> None:
    # given
    store(api, *["same"] * 5, "first", "zuletzt")
    # when
    seen, after, pages = [], None, 0
    while True:
        songs = api.execute(PAGE, first=3, after=after)["songs"]
        pages += 1
        seen += [edge["node"]["trackId"] for edge in songs["edges"]]
        assert songs["pageInfo"]["hasPreviousPage"] is (after is not None)
        assert songs["pageInfo"]["startCursor"] == songs["edges"][0]["cursor"]
        after = songs["pageInfo"]["endCursor"]
        if not songs["pageInfo"]["hasNextPage"]:
            break
    # then
    assert seen == ["6", "1", "2", "3", "4", "5", "7"]
    assert pages == 3


def test_a_cursor_keeps_its_place_when_its_song_changes(api: ApiClient) -> None:
    # given a page that ended at "b"
    store(api, "a", "b", "c")
    after = api.execute(PAGE, first=2)["songs"]["pageInfo"]["endCursor"]
    # when "b" is renamed
    store(api, "A new title", start=2)
    # then
    assert titles(api, after=after) == ["c"]


def test_an_empty_list_is_a_page(api: ApiClient) -> None:
    assert api.execute(PAGE)["songs"] == {
        "totalCount": 0,
        "edges": [],
        "nodes": [],
        "pageInfo": {
            "hasNextPage": False,
            "hasPreviousPage": False,
            "startCursor": None,
            "endCursor": None,
        },
    }


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("asked", ["NFC", "NFD"])
def test_a_title_is_found_in_either_form_of_unicode(
    api: ApiClient, stored: Literal["NFC", "NFD"], asked: Literal["NFC", "NFD"]
) -> None:
    store(api, unicodedata.normalize(stored, "Mi Corazón"), "Corazon")
    assert titles(api, titleContains=unicodedata.normalize(asked, "corazón")) == ["Mi Corazón"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("LOVE", ["All You Need Is Love", "Lovely Rita"]),
        ("élan", ["ÉLAN VITAL"]),
        ("100%", ["100% Pure"]),
        ("_", ["snake_case"]),
        ("\\", ["back\\slash"]),
        ("nothing like it", []),
    ],
)
def test_a_title_is_found_by_any_part_regardless_of_case(api: ApiClient, text: str, found: list[str]) -> None:
    store(api, "All You Need Is Love", "Lovely Rita", "ÉLAN VITAL", "100% Pure", "snake_case", "back\\slash")
    songs = api.execute(PAGE, titleContains=text)["songs"]
    assert [edge["node"]["title"] for edge in songs["edges"]] == found
    assert songs["totalCount"] == len(found)


def test_songs_are_filtered_by_genre_and_batch(api: ApiClient) -> None:
    # given
    first = store(api, "a", "b")
    store(api, "b again", "c", start=2)
    genre = first["genres"][0]["genre"]["name"]
    # then
    assert titles(api, batchId=first["id"]) == ["a"]
    assert titles(api, genre=genre) == ["a", "b again", "c"]
    assert titles(api, genre=genre, titleContains="B", batchId=first["id"]) == []


def test_a_genre_of_the_model_without_songs_is_an_empty_list(api: ApiClient) -> None:
    genres = api.execute("{ model { genres } }")["model"]["genres"]
    assert api.execute(PAGE, genre=genres[0])["songs"]["totalCount"] == 0


def test_the_error_for_an_unknown_genre_lists_the_known_ones(api: ApiClient) -> None:
    genres = api.execute("{ model { genres } }")["model"]["genres"]
    (error,) = api.errors(PAGE, genre="Polka")
    assert error["extensions"] == {"code": "UNKNOWN_GENRE"}
    assert error["message"] == f"Unknown genre 'Polka'. Known genres: {', '.join(genres)}."
    assert error["path"] == ["songs"]


def test_the_error_for_an_unknown_genre_lists_at_most_20() -> None:
    error = UnknownGenreError("Polka", [f"genre {number}" for number in range(1_220)])
    assert str(error).endswith("genre 18, genre 19 and 1,200 more.")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ({"first": 1_001}, "INVALID_ARGUMENT", "first: must be from 0 to 1,000, not 1001"),
        ({"first": -1}, "INVALID_ARGUMENT", "first: must be from 0 to 1,000, not -1"),
        (
            {"after": "nonsense"},
            "INVALID_CURSOR",
            "'nonsense' is not a valid cursor for this list; pass pageInfo.endCursor of the previous page",
        ),
        (
            {"after": "WyJhIiwiYiJd"},  # ["a","b"]: well-formed, but no track id
            "INVALID_CURSOR",
            (
                "'WyJhIiwiYiJd' is not a valid cursor for this list; "
                "pass pageInfo.endCursor of the previous page"
            ),
        ),
        ({"batchId": "U29uZzox"}, "INVALID_ARGUMENT", "batchId: is not a batch ID; pass `Batch.id`"),
        (
            {"titleContains": "nul \0"},
            "INVALID_ARGUMENT",
            "titleContains: must be text of at most 500 characters",
        ),
    ],
)
def test_invalid_arguments_are_refused_with_a_reason(
    api: ApiClient, arguments: dict[str, Any], code: str, message: str
) -> None:
    (error,) = api.errors(PAGE, **arguments)
    assert (error["extensions"]["code"], error["message"]) == (code, message)


def test_invented_cursors_and_ids_cause_no_internal_error(api: ApiClient) -> None:
    for text in ("", "\ud800", "x" * 10_000, "W10=", "W251bGxd", "bnVsbA==", "WyJcdTAwMDAiLCIxIl0=", "🎵"):
        for name in ("after", "batchId"):
            (error,) = api.errors(PAGE, **{name: text})
            assert error["extensions"]["code"] != "INTERNAL_SERVER_ERROR", (name, text)


def test_the_first_page_takes_one_statement_and_counts_only_if_requested(
    api: ApiClient, statements: list[str]
) -> None:
    # given
    store(api, "a", "b", "c")
    statements.clear()
    # when
    api.execute("{ songs { nodes { title } } }")
    # then
    assert len(statements) == 1
    assert "OFFSET" not in statements[0].upper()


def test_counts_and_batches_of_many_songs_take_one_statement_each(
    api: ApiClient, statements: list[str]
) -> None:
    # given songs of two batches
    store(api, "a", "b", "c")
    store(api, "d", "e", start=4)
    statements.clear()
    # when
    data = api.execute("{ songs { nodes { genre { songCount } batch { fileName } } } }")
    # then
    assert len(data["songs"]["nodes"]) == 5
    assert len(statements) == 3


def test_relations_of_many_songs_take_one_statement_each(api: ApiClient, statements: list[str]) -> None:
    # given songs of two batches
    store(api, "a", "b", "c")
    store(api, "d", "e", start=4)
    statements.clear()
    # when
    data = api.execute(
        "{ songs { nodes { genre { songCount } batch { fileName } probabilities { genre } } } }"
    )
    # then one for the songs, one for the counts, one for the batches, one for the models
    assert len(data["songs"]["nodes"]) == 5
    assert len(statements) == 4


def test_a_song_has_the_same_fields_in_a_page_and_on_its_own(api: ApiClient) -> None:
    # given
    store(api, "a")
    verify = 'mutation { verifySongs(input: {trackId: "1", genre: "polka"}) { __typename } }'
    assert api.execute(verify) == {"verifySongs": {"__typename": "VerifiedSongs"}}
    fields = api.execute('{ __type(name: "Song") { fields { name type { kind ofType { kind name } } } } }')
    leaves = {"SCALAR": "", "OBJECT": "{ __typename }", "LIST": "{ __typename }"}
    for field in fields["__type"]["fields"]:
        kind = (
            field["type"]["kind"] if field["type"]["kind"] != "NON_NULL" else field["type"]["ofType"]["kind"]
        )
        selection = f"{field['name']} {leaves[kind]}"
        # when
        page = api.execute(f"{{ songs {{ nodes {{ {selection} }} edges {{ node {{ {selection} }} }} }} }}")
        song = api.execute(f'{{ song(trackId: "1") {{ {selection} }} }}')["song"]
        # then
        assert song[field["name"]] is not None
        assert page["songs"] == {"nodes": [song], "edges": [{"node": song}]}
