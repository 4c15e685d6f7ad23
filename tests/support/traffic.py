"""A client that sends queries and uploads without pause, counts them, and records each failure."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

from tests.support.client import CLASSIFY_BATCH, upload_parts
from tests.support.songs import song_csv, song_rows
from tests.support.waiting import eventually

HEADERS = {"client-id": "test", "client-secret": "test", "graphql-preflight": "1"}
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
        wanted = self.done[kind] + more
        eventually(lambda: self.done[kind] >= wanted or bool(self.failures), f"{more} more of {kind}")

    def _run(self, kind: str, send: Callable[[httpx.Client], httpx.Response], url: str) -> None:
        with httpx.Client(base_url=url, headers=HEADERS, timeout=60) as client:
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
