from __future__ import annotations

import base64
import csv
import io

import httpx
import pytest

from tests.client import ApiClient
from tests.conftest import StartService
from tests.factories.songs import song_csv, song_row, song_rows

SONGS = (
    "query ($id: ID!) { batch(id: $id) { songs(first: 1000) { nodes { trackId title genre { name } } } } }"
)


def download(api: ApiClient, batch_id: str) -> list[list[str]]:
    response = api.http.get(f"/batches/{batch_id}/songs.csv")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(response.text)))


def test_all_songs_of_a_batch_and_no_others(api: ApiClient) -> None:
    # given
    api.classify(song_csv([song_row(trackID="9999")]))
    batch = api.classify(song_csv(song_rows(300)))
    # when
    header, *rows = download(api, batch["id"])
    # then
    assert header == ["trackID", "title", "genre", "confidence", "confident", "modelVersion"]
    nodes = api.execute(SONGS, id=batch["id"])["batch"]["songs"]["nodes"]
    assert [row[:3] for row in rows] == [[n["trackId"], n["title"], n["genre"]["name"]] for n in nodes]
    assert len(rows) == 300
    assert {row[4] for row in rows} == {"true"}


def test_pages_follow_each_other_without_gap_or_overlap(
    api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given titles that are all the same, so that track ids decide
    monkeypatch.setattr("app.services.catalogue.EXPORT_PAGE_SIZE", 7)
    batch = api.classify(song_csv([song_row(trackID=str(n), title="Same") for n in range(1, 22)]))
    # when
    _, *rows = download(api, batch["id"])
    # then
    assert [int(row[0]) for row in rows] == list(range(1, 22))


def test_the_uuid_in_the_id_does_as_well(api: ApiClient) -> None:
    batch = api.classify(song_csv(song_rows(3)))
    uuid = base64.b64decode(batch["id"]).decode().partition(":")[2]

    assert download(api, uuid) == download(api, batch["id"])


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
def test_no_title_is_a_formula(api: ApiClient, start: str) -> None:
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


def test_nobody_downloads_without_credentials(api: ApiClient) -> None:
    batch = api.classify(song_csv(song_rows(3)))

    assert httpx.get(f"{api.url}/batches/{batch['id']}/songs.csv").status_code == 401
