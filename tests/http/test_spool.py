"""The limit of disk space for uploads of a process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from app.http.uploads import Spool
from tests.conftest import StartService
from tests.support.client import CLASSIFY_BATCH, ApiClient, upload_parts
from tests.support.songs import song_csv, song_rows
from tests.support.waiting import eventually

FILE = song_csv(song_rows(100))
ROOM = len(FILE) * 3 // 2


@pytest.fixture
def api(start_service: StartService) -> ApiClient:
    """A service with space for one such file, but not for two."""
    return start_service(max_spool_bytes=ROOM)


@pytest.fixture
def spooled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Record the sizes of all spooled parts."""
    sizes: list[int] = []
    share = Spool.share

    @contextmanager
    def recorded(spool: Spool) -> Iterator[Callable[[int], None]]:
        with share(spool) as take:

            def take_and_record(size: int) -> None:
                take(size)
                sizes.append(size)

            yield take_and_record

    monkeypatch.setattr(Spool, "share", recorded)
    return sizes


def request_of(api: ApiClient) -> httpx.Request:
    request = api.http.build_request(
        "POST", "/graphql", headers={"graphql-preflight": "1"}, files=upload_parts(CLASSIFY_BATCH, FILE)
    )
    request.read()
    return request


def assert_refused(response: httpx.Response) -> None:
    assert response.status_code == 507
    assert response.headers["retry-after"] == "5"
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "INSUFFICIENT_STORAGE"
    assert error["message"] == (
        "The disk space for uploads is used up; nothing was stored. Try again in a few seconds."
    )


def test_an_upload_over_the_spool_limit_is_refused_and_released(api: ApiClient) -> None:
    for _ in range(3):
        assert_refused(api.upload(song_csv(song_rows(200))))
        assert api.upload(FILE).json()["data"]["classifyBatch"]["rowsClassified"] == 100
    assert api.execute("{ batches { totalCount } }")["batches"]["totalCount"] == 3


def test_concurrent_uploads_share_the_spool_limit(spooled: list[int], api: ApiClient) -> None:
    # given an upload that is sent except for its end
    go_on = threading.Event()
    request = request_of(api)

    def slowly() -> Iterator[bytes]:
        yield request.content[:-100]
        go_on.wait(60)
        yield request.content[-100:]

    answers: list[httpx.Response] = []

    def send() -> None:
        headers = {**api.http.headers, "graphql-preflight": "1"}
        headers["content-type"] = request.headers["content-type"]
        answers.append(httpx.post(f"{api.url}/graphql", headers=headers, content=slowly(), timeout=60))

    sending = threading.Thread(target=send)
    sending.start()
    # then there is no space for another one
    eventually(lambda: sum(spooled) > len(FILE) - 1_000, "all that it has sent is spooled")
    assert_refused(api.upload(FILE))
    # and the first one succeeds and releases its space
    go_on.set()
    sending.join()
    assert answers[0].json()["data"]["classifyBatch"]["rowsClassified"] == 100
    assert api.upload(FILE).status_code == 200


def test_an_aborted_upload_releases_its_spool_space(api: ApiClient) -> None:
    # given
    request = request_of(api)
    for _ in range(3):

        def aborted_body() -> Iterator[bytes]:
            yield request.content[:-100]
            raise ConnectionError

        headers = {**api.http.headers, "graphql-preflight": "1"}
        headers["content-type"] = request.headers["content-type"]
        with pytest.raises(ConnectionError):
            httpx.post(f"{api.url}/graphql", headers=headers, content=aborted_body(), timeout=60)
    # then
    eventually(lambda: api.upload(FILE).status_code == 200, "there is space")
