"""Uploads never use the connections of readers, logins and health checks."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from app.batches import classifier
from app.database.engine import split_connections
from tests.database.conftest import ServeOn
from tests.support.client import ApiClient
from tests.support.metrics import scrape, value
from tests.support.postgres import Database
from tests.support.songs import song_csv, song_rows
from tests.support.waiting import eventually

UPLOADS = 200
QUERY = 15


def seconds(ask: Callable[[], httpx.Response], status: int) -> float:
    """Return the median response time, which one pause of a busy machine does not change."""
    taken = []
    for _ in range(QUERY):
        started = time.monotonic()
        assert ask().status_code == status
        taken.append(time.monotonic() - started)
    return statistics.median(taken)


@pytest.mark.parametrize("connections", [4, 7, 20, 100])
def test_every_pool_gets_a_share_of_the_connections(connections: int) -> None:
    sizes = split_connections(connections)
    assert sum(sizes) == connections
    assert min(sizes) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("background", [False, True])
def test_readers_are_served_while_two_hundred_uploads_wait_on_64_cores(
    database: Database, serve_on: ServeOn, monkeypatch: pytest.MonkeyPatch, background: bool
) -> None:
    # given the maximum number of uploads, each of which holds a connection or waits for one
    monkeypatch.setattr(classifier, "usable_cores", lambda: 64)
    api = serve_on(database.url, max_uploads_per_client=UPLOADS)
    api.classify(song_csv(song_rows(20)))
    gate = database.close_gate("batch_uploads" if background else "songs", "true")
    songs = song_csv(song_rows(3))

    def upload(_: int) -> int:
        with ApiClient(api.url) as client:
            return client.upload(songs, background=background).status_code

    with ThreadPoolExecutor(UPLOADS) as pool, ApiClient(api.url, "test", "wrong") as stranger:
        answers = [pool.submit(upload, n) for n in range(UPLOADS)]
        gate.wait_for_arrival()
        eventually(lambda: value(scrape(api), "uploads_under_way") == UPLOADS, "all uploads arrive")
        # then
        assert seconds(lambda: api.post("{ songs(first: 10) { nodes { title } } }"), 200) < 0.1
        assert seconds(lambda: api.post("{ batches { nodes { id } } }"), 200) < 0.1
        assert seconds(lambda: httpx.get(f"{api.url}/healthcheck"), 200) < 0.1
        assert stranger.post("{ __typename }").status_code == 401
        # and when
        gate.open()
        assert {answer.result() for answer in answers} == {200}
