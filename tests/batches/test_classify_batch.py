from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import StartService
from tests.support.client import ApiClient, upload_parts
from tests.support.songs import song_csv, song_row, song_rows

ALL_SONGS = "{ songs { totalCount nodes { trackId title } } batches { totalCount } }"


def stored(api: ApiClient) -> tuple[int, int]:
    """Return the numbers of songs and batches."""
    data = api.execute(ALL_SONGS)
    return data["songs"]["totalCount"], data["batches"]["totalCount"]


def test_a_file_is_classified_and_stored(api: ApiClient) -> None:
    # given
    file = song_csv(song_rows(30))
    # when
    batch = api.classify(file, "autumn.csv")
    # then
    assert batch["__typename"] == "Batch"
    assert (batch["fileName"], batch["status"], batch["error"]) == ("autumn.csv", "SUCCEEDED", None)
    assert (batch["rowsUploaded"], batch["rowsClassified"]) == (30, 30)
    assert (batch["rowsWithMissingValues"], batch["rowsInvalid"], batch["rowsDuplicated"]) == (0, 0, 0)
    assert (batch["problemCount"], batch["problems"]) == (0, [])
    assert sum(found["songCount"] for found in batch["genres"]) == 30
    assert [found["songCount"] for found in batch["genres"]] == [
        found["genre"]["songCount"] for found in batch["genres"]
    ]
    assert stored(api) == (30, 1)


def test_a_file_with_one_song_is_classified(api: ApiClient) -> None:
    batch = api.classify(song_csv([song_row(trackID="7", title="Alone")]))
    assert (batch["rowsUploaded"], batch["rowsClassified"]) == (1, 1)
    assert api.execute('{ song(trackId: "7") { title } }') == {"song": {"title": "Alone"}}


def test_columns_may_be_in_any_order_and_extra_columns_are_ignored(api: ApiClient) -> None:
    # given the same song with its columns in two orders, and an extra column in the second
    row = song_row(trackID="7")
    backwards = [*reversed(row), "mood"]
    api.classify(song_csv([row]))
    first = api.execute('{ song(trackId: "7") { title probabilities { genre probability } } }')
    # when
    api.classify(song_csv([row | {"mood": "happy"}], columns=backwards))
    # then
    assert api.execute('{ song(trackId: "7") { title probabilities { genre probability } } }') == first


def test_the_last_row_of_a_repeated_track_id_wins(api: ApiClient) -> None:
    # given
    rows = [song_row(trackID="7", title=title) for title in ("First", "Second", "Last")]
    # when
    batch = api.classify(song_csv([*rows, song_row(trackID="8")]))
    # then
    assert (batch["rowsUploaded"], batch["rowsDuplicated"], batch["rowsClassified"]) == (4, 2, 2)
    assert api.execute('{ song(trackId: "7") { title } }') == {"song": {"title": "Last"}}
    assert stored(api) == (2, 1)


def test_a_track_id_repeated_in_a_later_chunk_is_stored_once(api: ApiClient) -> None:
    # given more rows than a chunk, with the first track ID repeated at the end
    rows = song_rows(2_500)
    # when
    batch = api.classify(song_csv([*rows, song_row(trackID="1", title="Last")]))
    # then
    assert (batch["rowsUploaded"], batch["rowsDuplicated"], batch["rowsClassified"]) == (2_501, 1, 2_500)
    assert api.execute('{ song(trackId: "1") { title } }') == {"song": {"title": "Last"}}


def test_rows_with_missing_values_are_counted_and_skipped(api: ApiClient) -> None:
    # given
    rows = [song_row(trackID="1", tempo=""), song_row(trackID="2", title=""), song_row(trackID="3")]
    # when
    batch = api.classify(song_csv(rows))
    # then
    assert (batch["rowsUploaded"], batch["rowsWithMissingValues"], batch["rowsClassified"]) == (3, 2, 1)
    assert batch["problemCount"] == 0
    assert stored(api) == (1, 1)


def test_a_file_with_only_missing_values_is_a_batch_without_songs(api: ApiClient) -> None:
    batch = api.classify(song_csv([song_row(tempo="")]))
    assert (batch["rowsUploaded"], batch["rowsWithMissingValues"], batch["rowsClassified"]) == (1, 1, 0)
    assert (batch["status"], batch["genres"]) == ("SUCCEEDED", [])


def test_an_invalid_value_is_reported_with_line_column_and_value_and_nothing_is_stored(
    api: ApiClient,
) -> None:
    # given `asd` as the tempo on line 5
    rows = song_rows(6)
    rows[3]["tempo"] = "asd"
    # when
    result = api.classify(song_csv(rows))
    # then
    assert (result["__typename"], result["code"], result["problemCount"]) == (
        "InvalidSongFile",
        "INVALID_SONG_FILE",
        1,
    )
    (problem,) = result["problems"]
    assert (problem["kind"], problem["line"], problem["column"], problem["value"]) == (
        "NOT_A_NUMBER",
        5,
        "tempo",
        "asd",
    )
    assert problem["message"] in result["message"]
    assert stored(api) == (0, 0)


def test_an_invalid_value_after_many_valid_chunks_stores_nothing(api: ApiClient) -> None:
    # given a stored song, and a file whose last row is invalid
    api.classify(song_csv([song_row(trackID="1", title="Before")]))
    rows = [*song_rows(4_500), song_row(trackID="9999", loudness="loud")]
    # when
    result = api.classify(song_csv(rows))
    # then
    assert result["problems"][0]["line"] == 4_502
    assert stored(api) == (1, 1)
    assert api.execute('{ song(trackId: "1") { title } }') == {"song": {"title": "Before"}}


def test_a_missing_column_is_reported_by_name(api: ApiClient) -> None:
    columns = [column for column in song_row() if column != "loudness"]
    result = api.classify(song_csv([song_row()], columns=columns))
    (problem,) = result["problems"]
    assert (problem["kind"], problem["line"], problem["column"]) == ("MISSING_COLUMN", 1, "loudness")
    assert stored(api) == (0, 0)


def test_skipped_rows_are_stored_as_problems_of_the_batch(api: ApiClient) -> None:
    # given
    rows = song_rows(4)
    rows[1]["key"] = "12"
    rows[2]["mode"] = "0.5"
    # when
    batch = api.classify(song_csv(rows), onInvalidRow="SKIP_ROW")
    # then
    assert (batch["rowsUploaded"], batch["rowsInvalid"], batch["rowsClassified"]) == (4, 2, 2)
    kept = [(problem["kind"], problem["line"], problem["column"]) for problem in batch["problems"]]
    assert kept == [("OUT_OF_RANGE", 3, "key"), ("NOT_AN_INTEGER", 4, "mode")]
    query = "query ($id: ID!) { batch(id: $id) { problems(first: 1) { line column value } } }"
    assert api.execute(query, id=batch["id"])["batch"]["problems"] == [
        {"line": 3, "column": "key", "value": "12"}
    ]


@pytest.mark.parametrize(
    ("file", "name", "kind"),
    [
        (b"", "songs.csv", "EMPTY_FILE"),
        (song_csv([]), "songs.csv", "NO_ROWS"),
        (song_csv([song_row()]), "songs.xlsx", "FILE_NAME"),
        (b"PK\x03\x04" + bytes(500), "songs.csv", "NOT_TEXT"),
        (song_csv([song_row(title="Caf\u00e9")], encoding="latin-1"), "songs.csv", "ENCODING"),
        (song_csv([song_row()]).replace(b",", b";"), "songs.csv", "SEPARATOR"),
        (song_csv([song_row()]).rstrip() + b",1\n", "songs.csv", "RAGGED_ROW"),
    ],
)
def test_a_file_of_another_kind_is_refused_with_a_reason(
    api: ApiClient, file: bytes, name: str, kind: str
) -> None:
    response = api.upload(file, name)
    result = response.json()["data"]["classifyBatch"]
    assert response.status_code == 200
    assert (result["__typename"], result["problems"][0]["kind"]) == ("InvalidSongFile", kind)
    assert "Traceback" not in response.text
    assert stored(api) == (0, 0)


def test_up_to_a_hundred_problems_are_listed_and_all_are_counted(api: ApiClient) -> None:
    # given
    rows = song_rows(150)
    for row in rows:
        row["tempo"] = "fast"
    query = """mutation ($file: Upload!) { classifyBatch(file: $file) {
        ... on InvalidSongFile { problemCount problems(first: 100) { line } } } }"""
    # when
    response = api.multipart(upload_parts(query, song_csv(rows)))
    # then
    result = response.json()["data"]["classifyBatch"]
    assert result["problemCount"] == 150
    assert [problem["line"] for problem in result["problems"]] == list(range(2, 102))


def test_too_many_rows_are_refused(start_service: StartService) -> None:
    # given
    api = start_service(max_rows=10)
    # when
    result = api.classify(song_csv(song_rows(11)))
    # then
    assert (result["__typename"], result["code"], result["maxRows"]) == (
        "SongFileTooLarge",
        "SONG_FILE_TOO_LARGE",
        10,
    )
    assert stored(api) == (0, 0)
    assert api.classify(song_csv(song_rows(10)))["rowsClassified"] == 10


def test_classifying_a_file_twice_stores_each_song_once(api: ApiClient) -> None:
    # given
    file = song_csv(song_rows(25))
    first = api.classify(file)
    # when
    second = api.classify(file)
    # then
    assert second["id"] != first["id"]
    assert second["genres"] == first["genres"]
    assert stored(api) == (25, 2)
    newest = "query ($id: ID!) { songs(batchId: $id) { totalCount } }"
    assert api.execute(newest, id=second["id"])["songs"]["totalCount"] == 25
    assert api.execute(newest, id=first["id"])["songs"]["totalCount"] == 0


def test_overlapping_batches_at_the_same_time_all_succeed(api: ApiClient) -> None:
    # given eight files that share songs, in different orders
    rows = song_rows(600)
    files = [song_csv(rows[start:] + rows[:start]) for start in range(0, 400, 50)]
    barrier = threading.Barrier(len(files))

    def send(file: bytes) -> dict[str, object]:
        with ApiClient(api.url) as client:
            barrier.wait()
            return client.classify(file)

    # when
    with ThreadPoolExecutor(len(files)) as senders:
        batches = list(senders.map(send, files))
    # then
    assert [batch["rowsClassified"] for batch in batches] == [600] * 8
    data = api.execute("{ genres { songCount } songs { totalCount } }")
    assert data["songs"]["totalCount"] == 600
    assert sum(genre["songCount"] for genre in data["genres"]) == 600


def test_genre_counts_change_when_a_song_changes_its_genre(api: ApiClient) -> None:
    # given two songs of different genres
    spanish = "de, la, que, el, en, y, un, por, mi, tu, no, es, con, amor, corazon"
    loud = "blood, death, hell, die, burn, soul, war, kill, dark, dead, flesh, pain"
    api.classify(song_csv([song_row(trackID="1", tags=spanish), song_row(trackID="2", tags=loud)]))
    before = api.execute("{ genres { name songCount } }")["genres"]
    # when each gets the other's tags
    api.classify(song_csv([song_row(trackID="1", tags=loud), song_row(trackID="2", tags=spanish)]))
    # then
    after = api.execute("{ genres { name songCount songs { totalCount nodes { trackId } } } }")["genres"]
    assert sum(genre["songCount"] for genre in after) == sum(genre["songCount"] for genre in before) == 2
    assert all(genre["songCount"] == len(genre["songs"]["nodes"]) for genre in after)
