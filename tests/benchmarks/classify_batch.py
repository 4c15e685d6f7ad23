"""Whole classifyBatch requests beside the floor of the same work, and what they cost in memory.

    make bench

The floor does in one process what nobody can leave out: pandas parses the file, LightGBM predicts with
the shipped boosters on rows as wide as their features, and asyncpg copies ids, titles and genres into a
table. Both sides take turns in one run on one machine, so that their ratio means something; the seconds
do not travel.

It uses the real songs of ../shared/data if they are there, else the synthetic sample.
"""

from __future__ import annotations

import asyncio
import io
import os
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import httpx
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from app.embedded_postgres import EmbeddedPostgres
from app.resources import resource
from ml.artifact import load_ensemble
from ml.songs import NUMBER_NAMES
from tests.benchmarks.meanwhile import Meanwhile
from tests.benchmarks.service import peak_memory, service, song_file, source_name
from tests.client import ApiClient

SIZES = (428, 8_128)
ROUNDS = 7
"""Turns of each side; the median counts."""


class Floor:
    """Parse, predict and copy, with nothing around them."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._ensemble = load_ensemble(resource("model"))
        self._loop = asyncio.new_event_loop()
        self._connection = self._loop.run_until_complete(self._connect())

    def seconds(self, file: bytes) -> float:
        """Do the work once and return how long it took."""
        before = time.perf_counter()
        self._loop.run_until_complete(self._run(file))
        return time.perf_counter() - before

    def close(self) -> None:
        """Close the connection."""
        self._loop.run_until_complete(self._connection.close())
        self._loop.close()

    async def _connect(self) -> asyncpg.Connection:
        connection = await asyncpg.connect(self._database_url)
        await connection.execute("CREATE TABLE floor (track_id bigint, title text, genre text)")
        return connection

    async def _run(self, file: bytes) -> None:
        frame = pd.read_csv(io.BytesIO(file))
        numbers = frame[list(NUMBER_NAMES)].to_numpy(np.float64)
        wide = np.zeros((len(frame), len(self._ensemble.manifest.features)))
        wide[:, : numbers.shape[1]] = numbers
        total = sum(
            np.asarray(booster.predict(wide, raw_score=True, num_threads=os.cpu_count()))
            for booster in self._ensemble.classifier.boosters
        )
        genres = np.array(self._ensemble.genres)[np.asarray(total).argmax(axis=1)]
        records = zip(frame["trackID"].tolist(), frame["title"].astype(str), genres.tolist(), strict=True)
        await self._connection.copy_records_to_table("floor", records=records)


def main() -> None:
    """Measure and print."""
    with TemporaryDirectory(prefix="genregraph-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        table = Table(
            "songs", "request, s", "floor, s", "ratio", "songs a second", "peak memory", "longest /livez"
        )
        with (
            EmbeddedPostgres(folder / "floor") as floor_url,
            service(folder / "service") as (url, pid),
            ApiClient(url) as api,
            httpx.Client(base_url=url) as other,
        ):
            floor = Floor(floor_url)
            for size in SIZES:
                file = song_file(size)
                requests, floors = [], []
                for turn in range(ROUNDS + 1):
                    floors.append(floor.seconds(file))
                    before = time.perf_counter()
                    batch = api.classify(file)
                    requests.append(time.perf_counter() - before)
                    if batch["rowsClassified"] != size:
                        raise RuntimeError(f"the service answered {batch}")
                    if turn == 0:  # the first turn of each warms caches and is not counted
                        requests.clear()
                        floors.clear()
                with Meanwhile(lambda: other.get("/livez"), pause=0.005) as alive:
                    for _ in range(3):
                        api.classify(file)
                request, bottom = statistics.median(requests), statistics.median(floors)
                table.add_row(
                    f"{size:,}",
                    f"{request:.3f}",
                    f"{bottom:.3f}",
                    f"{request / bottom:.2f}",
                    f"{size / request:,.0f}",
                    f"{peak_memory(pid):.0f} MiB",
                    f"{max(alive.waits) * 1000:.0f} ms of {len(alive.waits)}",
                )
            floor.close()
        Console(width=120).print(table)
        print(f"Medians of {ROUNDS} turns, {source_name()}, {os.cpu_count()} cores.")  # noqa: T201


if __name__ == "__main__":
    main()
