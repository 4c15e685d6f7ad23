from __future__ import annotations

import base64
import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pyarrow.parquet as pq
import pytest

from app.http.downloads import content_disposition
from tests.conftest import ExecuteSql, StartService
from tests.support import waiting
from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_row, song_rows

COLUMNS_BEFORE = ["trackID", "title", "genre", "verifiedGenre", "confidence", "confident"]
COLUMNS_AFTER = ["modelVersion", "classifiedAt"]

SONGS = """
query ($id: ID!) {
  model { genres }
  batch(id: $id) {
    songs(first: 1000) {
      nodes {
        trackId title genre { name } confidence confident modelVersion classifiedAt
        probabilities { genre probability }
      }
    }
  }
}
"""


def download(api: ApiClient, batch_id: str) -> list[list[str]]:
    response = api.http.get(f"/batches/{batch_id}/songs.csv")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(response.text)))


def test_a_download_has_all_songs_in_the_order_of_the_file(api: ApiClient) -> None:
    # given
    api.classify(song_csv([song_row(trackID="9999")]))
    sent = song_rows(300)[::-1]
    batch = api.classify(song_csv(sent), minConfidence=0.5)
    # when
    header, *rows = download(api, batch["id"])
    # then
    stored = api.execute(SONGS, id=batch["id"])
    genres = stored["model"]["genres"]
    assert header == [*COLUMNS_BEFORE, *(f"probability_{genre}" for genre in genres), *COLUMNS_AFTER]
    assert [row[0] for row in rows] == [row["trackID"] for row in sent]
    nodes = {node["trackId"]: node for node in stored["batch"]["songs"]["nodes"]}
    for row in rows:
        node = nodes[row[0]]
        probabilities = {p["genre"]: p["probability"] for p in node["probabilities"]}
        assert row[1:4] == [node["title"], node["genre"]["name"], ""]
        assert float(row[4]) == node["confidence"]
        assert row[5] == ("true" if node["confident"] else "false")
        assert [float(cell) for cell in row[6:-2]] == [probabilities[genre] for genre in genres]
        assert row[-2:] == [node["modelVersion"], node["classifiedAt"]]
    assert {row[5] for row in rows} == {"true", "false"}


def test_a_download_has_the_last_of_rows_with_the_same_track_id(api: ApiClient) -> None:
    rows = [song_row(trackID=str(n), title=title) for n, title in ((1, "a"), (2, "b"), (1, "c"), (3, "d"))]
    batch = api.classify(song_csv(rows))

    _, *downloaded = download(api, batch["id"])

    assert [row[:2] for row in downloaded] == [["2", "b"], ["1", "c"], ["3", "d"]]


def test_a_download_has_verified_genres_beside_predicted_ones(api: ApiClient) -> None:
    # given
    batch = api.classify(song_csv(song_rows(3)))
    before = [row[2] for row in download(api, batch["id"])]
    # when
    query = 'mutation { verifySongs(input: {trackId: "2", genre: "=polka"}) { __typename } }'
    assert api.execute(query) == {"verifySongs": {"__typename": "VerifiedSongs"}}
    # then
    after = download(api, batch["id"])
    assert [row[2] for row in after] == before
    assert [row[3] for row in after] == ["verifiedGenre", "", "'=polka", ""]
    lines = api.http.get(f"/batches/{batch['id']}/songs.jsonl").text.splitlines()
    assert [json.loads(line)["verifiedGenre"] for line in lines] == [None, "=polka", None]
    parquet = api.http.get(f"/batches/{batch['id']}/songs.parquet").content
    table = pq.read_table(io.BytesIO(parquet))
    assert table["verifiedGenre"].to_pylist() == [None, "=polka", None]


@pytest.mark.parametrize("background", [False, True])
def test_a_later_batch_does_not_change_a_download(api: ApiClient, background: bool) -> None:
    # given
    first = api.classify(song_csv(song_rows(30)), background=background)
    waiting.finished(api, first["id"])
    before = download(api, first["id"])
    assert len(before) == 31
    # when
    api.classify(song_csv([{**row, "title": "Other"} for row in song_rows(20)]))
    # then
    assert download(api, first["id"]) == before
    query = "query ($id: ID!) { batch(id: $id) { songsSuperseded songs { totalCount } } }"
    batch = api.execute(query, id=first["id"])["batch"]
    assert batch == {"songsSuperseded": 20, "songs": {"totalCount": 10}}


def test_csv_json_lines_and_parquet_have_the_same_content(api: ApiClient) -> None:
    # given
    batch = api.classify(song_csv(song_rows(60)))
    header, *rows = download(api, batch["id"])
    # when
    lines = api.http.get(f"/batches/{batch['id']}/songs.jsonl")
    parquet = api.http.get(f"/batches/{batch['id']}/songs.parquet")
    # then
    objects = [json.loads(line) for line in lines.text.splitlines()]
    assert [list(song) for song in objects] == [header] * 60
    assert [[str(song["trackID"]), song["title"], song["genre"]] for song in objects] == [
        row[:3] for row in rows
    ]
    table = pq.read_table(io.BytesIO(parquet.content))
    assert table.column_names == header
    assert [
        song | {"classifiedAt": song["classifiedAt"].isoformat()} for song in table.to_pylist()
    ] == objects


@pytest.mark.parametrize(
    ("uploaded", "header"),
    [
        ("songs.csv", "attachment; filename=\"songs-genres.csv\"; filename*=UTF-8''songs-genres.csv"),
        (
            'l\u00e4rm "1".CSV',
            "attachment; filename=\"l_rm _1_-genres.csv\"; filename*=UTF-8''l%C3%A4rm%20%221%22-genres.csv",
        ),
        (None, "attachment; filename=\"songs-genres.csv\"; filename*=UTF-8''songs-genres.csv"),
    ],
)
def test_a_download_is_named_after_the_upload(uploaded: str | None, header: str) -> None:
    assert content_disposition(uploaded, "csv") == header


def test_expired_results_get_410(api: ApiClient, execute_sql: ExecuteSql) -> None:
    batch = api.classify(song_csv(song_rows(3)))
    execute_sql("UPDATE batches SET results_until = now() - interval '1 second'")

    response = api.http.get(f"/batches/{batch['id']}/songs.jsonl")

    assert response.status_code == 410
    assert response.json()["errors"][0]["extensions"]["code"] == "RESULTS_GONE"


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_download_is_aborted_if_its_results_expire_meanwhile(
    api: ApiClient, execute_sql: ExecuteSql, encoding: str
) -> None:
    # given results whose last part is missing
    batch = api.classify(song_csv(song_rows(4_001)))
    execute_sql("DELETE FROM batch_result_parts WHERE first_ordinal >= 4000")
    # then
    with pytest.raises(httpx.RemoteProtocolError):
        api.http.get(f"/batches/{batch['id']}/songs.csv", headers={"accept-encoding": encoding})


@pytest.mark.parametrize("extension", ["csv", "jsonl", "parquet"])
def test_a_download_gets_410_if_its_results_expire_before_the_first_byte(
    api: ApiClient, execute_sql: ExecuteSql, extension: str
) -> None:
    batch = api.classify(song_csv(song_rows(3)))
    execute_sql("DELETE FROM batch_result_parts")
    response = api.http.get(f"/batches/{batch['id']}/songs.{extension}")
    assert response.status_code == 410
    assert response.json()["errors"][0]["extensions"]["code"] == "RESULTS_GONE"


def test_a_download_accepts_the_uuid_in_the_batch_id(api: ApiClient) -> None:
    batch = api.classify(song_csv(song_rows(3)))
    uuid = base64.b64decode(batch["id"]).decode().partition(":")[2]

    assert download(api, uuid) == download(api, batch["id"])


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
def test_titles_in_csv_are_not_formulas(api: ApiClient, start: str) -> None:
    title = f'{start}HYPERLINK("http://x", "y")'
    batch = api.classify(song_csv([song_row(title=title)]))

    _, (_, shown, *_) = download(api, batch["id"])

    assert shown == f"'{title}"
    assert api.execute("{ songs { nodes { title } } }") == {"songs": {"nodes": [{"title": title}]}}


@pytest.mark.parametrize("unknown", ["nonsense", "QmF0Y2g6eA==", "00000000-0000-0000-0000-000000000000"])
def test_an_unknown_batch_is_not_found(api: ApiClient, unknown: str) -> None:
    response = api.http.get(f"/batches/{unknown}/songs.csv")

    assert response.status_code == 404
    assert response.json()["errors"][0]["extensions"]["code"] == "NOT_FOUND"


def test_an_unfinished_batch_has_no_songs_yet(start_service: StartService) -> None:
    api = start_service(worker_concurrency=0)
    queued = api.classify(song_csv(song_rows(3)), background=True)

    response = api.http.get(f"/batches/{queued['id']}/songs.csv")

    assert response.status_code == 409
    assert response.json()["errors"][0]["message"] == "The batch has no songs: it is QUEUED."


def test_a_download_requires_credentials(api: ApiClient) -> None:
    batch = api.classify(song_csv(song_rows(3)))

    assert httpx.get(f"{api.url}/batches/{batch['id']}/songs.csv").status_code == 401


def test_concurrent_batches_of_the_same_songs_keep_their_own_results(
    start_service: StartService,
) -> None:
    """Each client uploads its own file and a shared one, concurrently and with the same track ids."""
    # given
    api = start_service(max_sync_rows=150)

    def one_client(client_id: str, secret: str) -> None:
        own = song_rows(100, seed=len(client_id))
        for row in own:
            row["title"] = f"{client_id} {row['trackID']}"
        both = song_rows(200, seed=9)  # too many for a request
        with ApiClient(api.url, client_id, secret) as client:
            for turn in range(6):
                sent = both if turn % 3 == 2 else own
                batch = client.classify(song_csv(sent), minConfidence=turn / 10)
                assert waiting.finished(client, batch["id"])["status"] == "SUCCEEDED"
                lines = client.http.get(f"/batches/{batch['id']}/songs.jsonl").text.splitlines()
                songs = [json.loads(line) for line in lines]
                # then
                assert [(str(song["trackID"]), song["title"]) for song in songs] == [
                    (row["trackID"], row["title"]) for row in sent
                ]
                assert [song["confident"] for song in songs] == [
                    song["confidence"] >= turn / 10 for song in songs
                ]

    # when
    with ThreadPoolExecutor(2) as pool:
        for running in [pool.submit(one_client, "test", "test"), pool.submit(one_client, "nightly", "first")]:
            running.result()
