"""Replicas behind the shipped proxy, restarted one after another under traffic: no request may fail."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from tests.support.client import CLASSIFY_BATCH, ApiClient, upload_parts
from tests.support.ports import free_port
from tests.support.proxy import nginx
from tests.support.replica import CLIENTS, Process, Replica, replica, started
from tests.support.songs import song_csv, song_rows
from tests.support.waiting import eventually, finished
from tests.support.websocket import CREDENTIALS

pytestmark = pytest.mark.slow

ADDRESSES = ("127.0.0.2", "127.0.0.3")

CLASSIFIED = "query ($id: ID!) { batch(id: $id) { status rowsClassified } }"

SLOW_UPLOAD_SECONDS = 4


@dataclass
class Traffic:
    """Sends each kind of request repeatedly, in a thread per kind, until the context ends."""

    urls: tuple[str, ...]
    done: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._songs = itertools.count(1)
        kinds: dict[str, Callable[[httpx.Client], httpx.Response]] = {
            "query": self._query,
            "upload": self._upload,
            "slow upload": self._slow_upload,
        }
        self._threads = [
            threading.Thread(target=self._run, args=(kind, send, url))
            for kind, send in kinds.items()
            for url in self.urls
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, kind: str, more: int) -> None:
        """Wait until `more` further requests of this kind have succeeded."""
        target = self.done[kind] + more
        eventually(lambda: self.done[kind] >= target or bool(self.failures), f"{more} more of {kind}")

    def _run(self, kind: str, send: Callable[[httpx.Client], httpx.Response], url: str) -> None:
        headers = CREDENTIALS | {"graphql-preflight": "1"}
        with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
            while not self._over.is_set():
                try:
                    self._judge(kind, send(client))
                except httpx.HTTPError as error:
                    self.failures.append(f"{kind}: {error!r}")
                time.sleep(0.02)

    def _judge(self, kind: str, response: httpx.Response) -> None:
        if response.status_code != 200:
            self.failures.append(f"{kind}: {response.status_code} {response.text[:200]}")
            return
        body: dict[str, Any] = response.json()
        if "errors" in body:
            self.failures.append(f"{kind}: {body['errors']}")
        elif kind != "query" and body["data"]["classifyBatch"].get("status") != "SUCCEEDED":
            self.failures.append(f"{kind}: {body['data']}")
        else:
            self.done[kind] += 1

    def _query(self, client: httpx.Client) -> httpx.Response:
        query = "{ songs(first: 5) { totalCount nodes { title modelVersion } } genres { name songCount } }"
        return client.post("/graphql", json={"query": query})

    def _upload(self, client: httpx.Client) -> httpx.Response:
        return client.post("/graphql", files=upload_parts(CLASSIFY_BATCH, self._file()))

    def _slow_upload(self, client: httpx.Client) -> httpx.Response:
        request = client.build_request("POST", "/graphql", files=upload_parts(CLASSIFY_BATCH, self._file()))
        body = request.read()
        return client.post(
            "/graphql", content=self._drip(body), headers={"content-type": request.headers["content-type"]}
        )

    def _drip(self, body: bytes) -> Iterator[bytes]:
        parts = 40
        size = -(-len(body) // parts)
        for start in range(0, len(body), size):
            yield body[start : start + size]
            time.sleep(SLOW_UPLOAD_SECONDS / parts)

    def _file(self) -> bytes:
        """Return a new file, as uploading the same one again would join its batch."""
        number = next(self._songs)
        rows = song_rows(3)
        for row in rows:
            row["title"] = f"upload {number}"
        return song_csv(rows)


@pytest.fixture
def port() -> int:
    return free_port("0.0.0.0")  # noqa: S104 - free on all addresses of this machine


@pytest.fixture
def replicas(database_url: str, port: int) -> tuple[Replica, ...]:
    settings = {"worker_concurrency": "0", "max_sync_rows": "1000", "shutdown_delay_seconds": "1"}
    return tuple(replica(database_url, address, port, **settings) for address in ADDRESSES)


@pytest.fixture
def worker(database_url: str) -> Process:
    return Process(["worker"], {"GENREGRAPH_DATABASE_URL": database_url, "GENREGRAPH_CLIENTS": CLIENTS})


def test_no_request_fails_during_a_rolling_restart(
    replicas: tuple[Replica, ...], worker: Process, port: int, folder: Path
) -> None:
    with started(*replicas, worker), nginx(folder, ADDRESSES, port) as url, Traffic((url, url)) as traffic:
        # given
        traffic.wait_for("upload", 5)
        traffic.wait_for("slow upload", 1)
        with ApiClient(url) as api:
            queued = api.classify(song_csv(song_rows(20_000)))
        assert queued["status"] == "QUEUED"
        # when
        for process in (*replicas, worker):
            code, errors = process.stop()
            assert (code, "Traceback" in errors) == (0, False), errors
            process.start()
            if isinstance(process, Replica):
                process.wait_until_ready()
            traffic.wait_for("upload", 5)
            traffic.wait_for("slow upload", 1)
        # then the background batch also ends
        with ApiClient(url) as api:
            batch = finished(api, queued["id"], CLASSIFIED)
        assert batch == {"status": "SUCCEEDED", "rowsClassified": 20_000}
    print(f"requests: {dict(traffic.done)}, failed: {len(traffic.failures)}")  # noqa: T201 - shown by pytest -s
    assert traffic.failures == []
