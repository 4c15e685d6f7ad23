"""Songs per second and peak memory of background batches, from ten thousand songs to a million.

    python -m tests.benchmarks.throughput [ROWS…]

Each size gets a service and a database of its own, both empty. The time runs from the start of the upload to
the moment when all songs can be read; the memory is the most that the API process, whose worker does the
work, has ever held. A reader asks for `genres` all the while.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.meanwhile import Meanwhile
from tests.benchmarks.service import peak_memory, service, song_file_blocks, source_name
from tests.support.client import CLASSIFY_BATCH, ApiClient
from tests.support.waiting import finished

SIZES = (10_000, 100_000, 1_000_000)
BATCH = "query ($id: ID!) { batch(id: $id) { status error rowsClassified startedAt } }"
GENRES = "{ genres { name songCount } }"


def upload(api: ApiClient, path: Path) -> dict[str, Any]:
    """Send a file to the background as it lies on the disk, and return the queued batch."""
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
            timeout=3_600,
        )
    batch: dict[str, Any] = response.json()["data"]["classifyBatch"]
    return batch


def main() -> None:
    """Measure and print."""
    table = Table("songs", "file", "upload, s", "total, s", "songs per second", "peak memory", "read latency")
    sizes = [int(text) for text in sys.argv[1:]] or SIZES
    for size in sizes:
        with TemporaryDirectory(prefix="genregraph-bench-") as name:
            folder = Path(name)
            folder.chmod(0o755)
            path = folder / "songs.csv"
            with path.open("wb") as file:
                file.writelines(song_file_blocks(size))
            with (
                service(folder / "service") as (url, pid),
                ApiClient(url) as api,
                ApiClient(url) as other,
                Meanwhile(lambda: other.execute(GENRES), pause=0.1) as reader,
            ):
                before = time.perf_counter()
                queued = upload(api, path)
                uploaded = time.perf_counter() - before
                batch = finished(api, queued["id"], BATCH, seconds=3_600)
                seconds = time.perf_counter() - before
                if batch["rowsClassified"] != size:
                    raise RuntimeError(f"the service answered {batch}")
                memory = peak_memory(pid)
            median, longest = statistics.median(reader.waits), max(reader.waits)
            table.add_row(
                f"{size:,}",
                f"{path.stat().st_size / 2**20:,.0f} MiB",
                f"{uploaded:.1f}",
                f"{seconds:.1f}",
                f"{size / seconds:,.0f}",
                f"{memory:.0f} MiB",
                f"{median * 1000:.0f} ms, longest {longest * 1000:.0f} ms",
            )
    console = Console(width=120)
    console.print(table)
    console.print(f"Made of {source_name()}; a service each.")


if __name__ == "__main__":
    main()
