"""Measure classifyBatch requests relative to the minimum work, and a background batch relative to requests.

    python -m tests.benchmarks.classify_batch [BACKGROUND_SONGS]

The floor is the minimum work, in one process: pandas parses the file, the model's LightGBM trees predict,
and asyncpg copies ids, titles and genres into a table without indexes. A second service stores no features
(`GENREGRAPH_KEEP_FEATURES=false`). All take turns in one run, so their ratios are comparable; absolute times
differ between machines. Ratios of CPU time hold on a busy machine too.

Uses the real songs in ../shared/data, or else the synthetic sample songs.
"""

from __future__ import annotations

import asyncio
import io
import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

import asyncpg
import httpx
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from app import resource
from app.local_postgres.server import EmbeddedPostgres
from ml.model.artifact import load_ensemble
from ml.songs.contract import NUMBER_NAMES
from tests.benchmarks.probe import Probe
from tests.benchmarks.service import (
    cpu_seconds,
    peak_memory,
    service,
    song_file,
    source_name,
    write_song_file,
)
from tests.benchmarks.throughput import upload, wait_until_classified
from tests.support.client import ApiClient
from tests.support.folders import open_folder

SIZES = (428, 8_128)
ROUNDS = 7
BACKGROUND_SONGS = 1_000_000


class Floor:
    """Parse, predict and copy, and nothing else."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._ensemble = load_ensemble(resource("model"))
        self._loop = asyncio.new_event_loop()
        self._connection = self._loop.run_until_complete(self._connect())

    def classify(self, file: bytes) -> None:
        """Classify a file and store the result."""
        self._loop.run_until_complete(self._classify(file))

    def close(self) -> None:
        """Close the connection."""
        self._loop.run_until_complete(self._connection.close())
        self._loop.close()

    async def _connect(self) -> asyncpg.Connection:
        connection = await asyncpg.connect(self._database_url)
        await connection.execute("CREATE TABLE floor (track_id bigint, title text, genre text)")
        return connection

    async def _classify(self, file: bytes) -> None:
        frame = pd.read_csv(io.BytesIO(file))
        numbers = frame[list(NUMBER_NAMES)].to_numpy(np.float64)
        features = np.zeros((len(frame), len(self._ensemble.manifest.features)))
        features[:, : numbers.shape[1]] = numbers
        total = sum(
            np.asarray(booster.predict(features, raw_score=True, num_threads=os.cpu_count()))
            for booster in self._ensemble.classifier.boosters
        )
        genres = np.array(self._ensemble.genres)[np.asarray(total).argmax(axis=1)]
        records = zip(frame["trackID"].tolist(), frame["title"].astype(str), genres.tolist(), strict=True)
        await self._connection.copy_records_to_table("floor", records=records)


@dataclass
class Timings:
    """The duration and CPU time of each round in seconds."""

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def measure(self, work: Callable[[], object], pid: int) -> None:
        """Measure one round of work, done by the process `pid`."""
        cpu, before = cpu_seconds(pid), time.perf_counter()
        work()
        self.seconds.append(time.perf_counter() - before)
        self.cpu.append(cpu_seconds(pid) - cpu)

    def relative_to(self, other: Timings) -> str:
        """Return the ratio of the median durations and that of the CPU times."""
        seconds = statistics.median(self.seconds) / statistics.median(other.seconds)
        return f"{seconds:.2f}, {sum(self.cpu) / sum(other.cpu):.2f}"


@dataclass(frozen=True)
class Service:
    """A service in its own process."""

    api: ApiClient
    pid: int

    def classify(self, file: bytes, songs: int) -> None:
        """Classify a file in a request."""
        batch = self.api.classify(file)
        if batch["rowsClassified"] != songs:
            raise RuntimeError(f"the service returned {batch}")


def measure_requests(floor: Floor, full: Service, bare: Service, songs: int) -> tuple[list[str], Timings]:
    """Return a row of the table, and the timings of the service that stores features."""
    file = song_file(songs)
    variants: dict[str, tuple[Callable[[], object], int]] = {
        "floor": (lambda: floor.classify(file), os.getpid()),
        "full": (lambda: full.classify(file, songs), full.pid),
        "bare": (lambda: bare.classify(file, songs), bare.pid),
    }
    for work, _ in variants.values():  # warm up
        work()
    timings = {name: Timings() for name in variants}
    for _ in range(ROUNDS):
        for name, (work, pid) in variants.items():
            timings[name].measure(work, pid)
    with (
        httpx.Client(base_url=full.api.http.base_url) as client,
        Probe(lambda: client.get("/livez"), pause=0.005) as liveness,
    ):
        for _ in range(3):
            full.classify(file, songs)
    request, minimum = (statistics.median(timings[name].seconds) for name in ("full", "floor"))
    row = [
        *(f"{songs:,}", f"{request:.3f} s", f"{minimum:.3f} s"),
        timings["full"].relative_to(timings["floor"]),
        timings["full"].relative_to(timings["bare"]),
        *(f"{songs / request:,.0f}", f"{peak_memory(full.pid):.0f} MiB"),
        f"{max(liveness.latencies) * 1000:.0f} ms of {len(liveness.latencies)}",
    ]
    return row, timings["full"]


def measure_background(service: Service, songs: int) -> Timings:
    """Return the timings of a background batch, including its upload."""
    timings = Timings()
    with open_folder() as folder:
        path = folder / "songs.csv"
        write_song_file(path, songs)

        def classify() -> None:
            wait_until_classified(service.api, upload(service.api, path)["id"], songs, pause=0.5)

        timings.measure(classify, service.pid)
    return timings


def main() -> None:
    """Measure and print."""
    background_songs = int(sys.argv[1]) if sys.argv[1:] else BACKGROUND_SONGS
    table = Table(
        *(
            "songs",
            "request",
            "floor",
            "request ÷ floor, by CPU time",
            "with ÷ without features, by CPU time",
        ),
        *("songs per second", "peak memory", "slowest /livez"),
    )
    with ExitStack() as stack:
        folder = stack.enter_context(open_folder())

        def start(keep_features: str) -> Service:
            settings = {"GENREGRAPH_KEEP_FEATURES": keep_features}
            url, pid = stack.enter_context(service(folder=folder / keep_features, settings=settings))
            return Service(stack.enter_context(ApiClient(url)), pid)

        full, bare = start("true"), start("false")
        floor = Floor(stack.enter_context(EmbeddedPostgres(folder / "floor")))
        stack.callback(floor.close)
        for songs in SIZES:
            row, requests = measure_requests(floor, full, bare, songs)
            table.add_row(*row)
        background = measure_background(full, background_songs)
        memory = peak_memory(full.pid)
    rate = background_songs / background.seconds[0]
    share = rate / (SIZES[-1] / statistics.median(requests.seconds))
    cpu_share = sum(requests.cpu) / (SIZES[-1] * ROUNDS) / (background.cpu[0] / background_songs)
    console = Console(width=150)
    console.print(table)
    console.print(
        f"{background_songs:,} songs in the background: {rate:,.0f} songs per second with the upload, "
        f"{share:.2f} of the rate in a request, or {cpu_share:.2f} by CPU time. "
        f"Peak memory: {memory:.0f} MiB."
    )
    console.print(
        f"Medians of {ROUNDS} rounds; CPU time includes PostgreSQL's. "
        f"{source_name().capitalize()}, {os.cpu_count()} cores."
    )


if __name__ == "__main__":
    main()
