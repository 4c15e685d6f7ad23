"""Measure the throughput and peak memory of background batches of different sizes.

    python -m tests.benchmarks.throughput [SONGS…]

Each size uses a new service and an empty database. The total time runs from the first byte of the upload
until all songs are readable. Peak memory is that of the API process, whose built-in worker processes the
batch. Meanwhile, a client queries `genres` continuously.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.probe import Probe
from tests.benchmarks.service import peak_memory, service, source_name, write_song_file
from tests.support.client import CLASSIFY_BATCH, ApiClient
from tests.support.folders import open_folder
from tests.support.waiting import finished

SIZES = (10_000, 100_000, 1_000_000)
TIMEOUT_SECONDS = 3_600
GENRES = "{ genres { name songCount } }"


def upload(api: ApiClient, path: Path) -> dict[str, Any]:
    """Upload a file as a background batch, streamed from disk; return the queued batch."""
    variables = {"file": None, "options": {"background": True}}
    fields = {
        "operations": json.dumps({"query": CLASSIFY_BATCH, "variables": variables}),
        "map": json.dumps({"0": ["variables.file"]}),
    }
    with path.open("rb") as file:
        response = api.http.post(
            "/graphql",
            data=fields,
            files={"0": ("songs.csv", file)},
            headers={"graphql-preflight": "1"},
            timeout=TIMEOUT_SECONDS,
        )
    batch: dict[str, Any] = response.json()["data"]["classifyBatch"]
    return batch


def wait_until_classified(api: ApiClient, batch_id: str, songs: int, pause: float = 0.03) -> dict[str, Any]:
    """Wait for the end of a batch, and return it.

    Args:
        api: the client.
        batch_id: the batch.
        songs: number of songs that it must classify.
        pause: seconds between two queries.

    Raises:
        RuntimeError: the batch did not classify all songs.
    """
    batch = finished(api, batch_id, seconds=TIMEOUT_SECONDS, pause=pause)
    if (batch["status"], batch["rowsClassified"]) != ("SUCCEEDED", songs):
        raise RuntimeError(f"the service returned {batch}")
    return batch


def measure(songs: int) -> tuple[str, ...]:
    """Classify this many songs and return a row of the table."""
    with open_folder() as folder:
        path = folder / "songs.csv"
        write_song_file(path, songs)
        with (
            service(folder=folder / "service") as (url, pid),
            ApiClient(url) as api,
            ApiClient(url) as reader,
            Probe(lambda: reader.execute(GENRES), pause=0.1) as probe,
        ):
            before = time.perf_counter()
            queued = upload(api, path)
            upload_seconds = time.perf_counter() - before
            wait_until_classified(api, queued["id"], songs)
            seconds = time.perf_counter() - before
            memory = peak_memory(pid)
        return (
            f"{songs:,}",
            f"{path.stat().st_size / 2**20:,.0f} MiB",
            f"{upload_seconds:.1f}",
            f"{seconds:.1f}",
            f"{songs / seconds:,.0f}",
            f"{memory:.0f} MiB",
            f"{statistics.median(probe.latencies) * 1000:.0f} ms",
            f"{max(probe.latencies) * 1000:.0f} ms",
        )


def main() -> None:
    """Measure and print."""
    table = Table(
        *("songs", "file", "upload, s", "total, s", "songs per second", "peak memory"),
        *("read latency, median", "read latency, max"),
    )
    for songs in map(int, sys.argv[1:] or SIZES):
        table.add_row(*measure(songs))
    console = Console(width=120)
    console.print(table)
    console.print(f"The files are made of {source_name()}.")


if __name__ == "__main__":
    main()
