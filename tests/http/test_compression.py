"""Compression of responses, and ETags."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator

import httpx
import pytest
import zstandard

from tests.conftest import StartService
from tests.support.batches import CANCEL
from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_rows

SONGS = "{ songs(first: 100) { nodes { trackId title genre { name } confidence } } }"
NEW = "application/graphql-response+json"


@pytest.fixture(scope="module")
def api(shared_api: ApiClient) -> ApiClient:
    shared_api.classify(song_csv(song_rows(200)))
    return shared_api


def raw(api: ApiClient, query: str, **headers: str) -> tuple[httpx.Response, bytes]:
    """Return a response and its bytes as sent."""
    sent = {"content-type": "application/json", **{name.replace("_", "-"): v for name, v in headers.items()}}
    content = json.dumps({"query": query})
    with api.http.stream("POST", "/graphql", content=content, headers=sent) as response:
        return response, b"".join(response.iter_raw())


@pytest.mark.parametrize(
    ("accepted", "encoding", "decompress"),
    [
        ("gzip", "gzip", gzip.decompress),
        ("gzip, deflate, br, zstd", "zstd", lambda data: zstandard.ZstdDecompressor().decompress(data)),
        ("gzip;q=1.0, zstd;q=0", "gzip", gzip.decompress),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", NEW])
def test_a_large_response_is_compressed(
    api: ApiClient, accepted: str, encoding: str, decompress: Callable[[bytes], bytes], accept: str
) -> None:
    _, plain = raw(api, SONGS, accept=accept, accept_encoding="identity")
    response, data = raw(api, SONGS, accept=accept, accept_encoding=accepted)
    assert (response.headers["content-encoding"], int(response.headers["content-length"])) == (
        encoding,
        len(data),
    )
    assert "accept-encoding" in response.headers["vary"].lower()
    assert decompress(data) == plain
    assert len(data) < len(plain) / 2


def test_brotli_is_used_if_the_client_does_not_accept_zstandard(api: ApiClient) -> None:
    response, data = raw(api, SONGS, accept_encoding="br, gzip")
    assert response.headers["content-encoding"] == "br"
    assert len(data) < 6_000


@pytest.mark.parametrize("accepted", ["", "identity", "deflate", "gzip;q=0"])
def test_a_response_is_not_compressed_if_the_client_accepts_no_encoding(
    api: ApiClient, accepted: str
) -> None:
    response, data = raw(api, SONGS, accept_encoding=accepted)
    assert "content-encoding" not in response.headers
    assert len(json.loads(data)["data"]["songs"]["nodes"]) == 100


@pytest.mark.parametrize("query", ["{ __typename }", "{ nope }", "{ genres { name songCount } }"])
def test_a_small_response_is_not_compressed(api: ApiClient, query: str) -> None:
    response, data = raw(api, query, accept_encoding="gzip, br, zstd")
    assert "content-encoding" not in response.headers
    assert len(data) < 1_024


@pytest.mark.parametrize(
    ("accept", "ending"),
    [
        ("text/event-stream", "event: complete"),
        ("multipart/mixed;subscriptionSpec=1.0", "--graphql--"),
    ],
)
def test_streams_are_neither_buffered_nor_compressed(
    start_service: StartService, accept: str, ending: str
) -> None:
    # given a batch that stays queued until it is cancelled
    api = start_service(worker_concurrency=0)
    batch = api.classify(song_csv(song_rows(3)), background=True)
    query = "subscription ($id: ID!) { batchProgress(id: $id) { status } }"
    headers = {"accept": accept, "accept-encoding": "gzip, br, zstd"}
    body = {"query": query, "variables": {"id": batch["id"]}}
    # when
    with api.http.stream("POST", "/graphql", json=body, headers=headers) as response:
        parts: Iterator[bytes] = response.iter_raw()
        first = next(parts)
        with ApiClient(api.url) as other:
            other.execute(CANCEL, id=batch["id"])
        rest = b"".join(parts)
    # then the first event arrived before the last one happened
    assert "content-encoding" not in response.headers
    assert first
    assert ending in (first + rest).decode()


@pytest.mark.parametrize(("extension", "encoding"), [("csv", "gzip"), ("jsonl", "gzip"), ("parquet", None)])
def test_downloads_except_parquet_are_compressed(
    api: ApiClient, extension: str, encoding: str | None
) -> None:
    batch = api.classify(song_csv(song_rows(300)))
    url = f"/batches/{batch['id']}/songs.{extension}"
    plain = api.http.get(url, headers={"accept-encoding": "identity"})
    compressed = api.http.get(url, headers={"accept-encoding": "gzip"})
    assert compressed.headers.get("content-encoding") == encoding
    assert compressed.content == plain.content


# ETags


def get(api: ApiClient, query: str, **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.http.get("/graphql", params={"query": query}, headers=sent)


@pytest.mark.parametrize("accepted", ["identity", "gzip", "zstd"])
def test_a_known_response_gets_304(api: ApiClient, accepted: str) -> None:
    first = get(api, SONGS, accept_encoding=accepted)
    assert first.headers["cache-control"] == "no-store"  # browsers store nothing; other clients may
    tag = first.headers["etag"]
    strong = tag.removeprefix("W/")  # a cache may store it so; the comparison is weak (RFC 9110, 13.1.2)
    for known in (tag, f'"other", {tag}', strong, f'"other",{strong}', "*"):
        again = get(api, SONGS, accept_encoding=accepted, if_none_match=known)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["vary"] == first.headers["vary"]
    for other in ('"other"', tag[:-1], "", "W/*"):
        assert get(api, SONGS, if_none_match=other).json() == first.json()


def test_a_changed_response_is_sent(api: ApiClient) -> None:
    count = "{ songs { totalCount } }"
    first = get(api, count)
    songs = first.json()["data"]["songs"]["totalCount"]
    api.classify(song_csv(song_rows(songs + 1)))
    second = get(api, count, if_none_match=first.headers["etag"])
    assert (second.status_code, second.json()) == (200, {"data": {"songs": {"totalCount": songs + 1}}})
    assert second.headers["etag"] != first.headers["etag"]


def test_refusals_and_posts_have_no_etag(api: ApiClient) -> None:
    for response in (get(api, "{ nope }", accept=NEW), api.post(SONGS)):
        assert "etag" not in response.headers
