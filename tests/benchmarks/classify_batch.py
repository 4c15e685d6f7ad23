"""Whole classifyBatch requests beside the floor of the same work, and a background batch beside requests.

    python -m tests.benchmarks.classify_batch [SONGS_IN_BACKGROUND]

The floor does in one process what nobody can leave out: pandas parses the file, LightGBM predicts with
the shipped boosters on rows as wide as their features, and asyncpg copies ids, titles and genres into a
table. A second service keeps no features (`GENREGRAPH_KEEP_FEATURES=false`). All sides take turns in one run
on one machine, so that their ratios mean something; the seconds do not travel. Ratios of processor time hold
on a busy machine too.

It uses the real songs of ../shared/data if they are there, else the synthetic sample.
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
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import httpx
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from app.local_postgres.server import EmbeddedPostgres
from app.resources import resource
from ml.model.artifact import load_ensemble
from ml.songs.contract import NUMBER_NAMES
from tests.benchmarks.meanwhile import Meanwhile
from tests.benchmarks.service import (
    cpu_seconds,
    peak_memory,
    service,
    song_file,
    song_file_blocks,
    source_name,
)
from tests.benchmarks.throughput import upload
from tests.support.client import ApiClient
from tests.support.waiting import finished

SIZES = (428, 8_128)
ROUNDS = 7
"""Turns of each side; the median counts."""

SONGS_IN_BACKGROUND = 1_000_000


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


@dataclass
class Turns:
    """Seconds, and seconds of processor time, of one side's turns."""

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def take(self, work: Callable[[], object], pid: int) -> None:
        """Do the work once more; `pid` does it."""
        cpu, before = cpu_seconds(pid), time.perf_counter()
        work()
        self.seconds.append(time.perf_counter() - before)
        self.cpu.append(cpu_seconds(pid) - cpu)

    def ratios(self, other: Turns) -> tuple[str, str]:
        """Return median times in those of the other side, and processor time in the other's."""
        seconds = statistics.median(self.seconds) / statistics.median(other.seconds)
        return f"{seconds:.2f}", f"{sum(self.cpu) / sum(other.cpu):.2f}"


@dataclass(frozen=True)
class Served:
    """A service to send files to."""

    api: ApiClient
    pid: int

    def classify(self, file: bytes, songs: int) -> None:
        """Have a file classified in a request."""
        batch = self.api.classify(file)
        if batch["rowsClassified"] != songs:
            raise RuntimeError(f"the service answered {batch}")

    def classify_in_background(self, path: Path, songs: int) -> None:
        """Have a file classified by the worker inside the service."""
        queued = upload(self.api, path)
        batch = finished(self.api, queued["id"], seconds=3_600, pause=0.5)
        if batch["rowsClassified"] != songs:
            raise RuntimeError(f"the service answered {batch}")


def requests(floor: Floor, kept: Served, bare: Served, songs: int) -> tuple[list[str], Turns]:
    """Return a row of the table, and the turns of the service that keeps features."""
    file = song_file(songs)
    sides: dict[str, tuple[Callable[[], object], int]] = {
        "floor": (lambda: floor.seconds(file), os.getpid()),
        "kept": (lambda: kept.classify(file, songs), kept.pid),
        "bare": (lambda: bare.classify(file, songs), bare.pid),
    }
    for work, _ in sides.values():  # warms caches and is not counted
        work()
    turns = {side: Turns() for side in sides}
    for _ in range(ROUNDS):
        for side, (work, pid) in sides.items():
            turns[side].take(work, pid)
    with (
        httpx.Client(base_url=kept.api.http.base_url) as other,
        Meanwhile(lambda: other.get("/livez"), pause=0.005) as alive,
    ):
        for _ in range(3):
            kept.classify(file, songs)
    request, bottom = (statistics.median(turns[side].seconds) for side in ("kept", "floor"))
    row = [
        *(f"{songs:,}", f"{request:.3f} s", f"{bottom:.3f} s"),
        " / ".join(turns["kept"].ratios(turns["floor"])),
        " / ".join(turns["kept"].ratios(turns["bare"])),
        *(f"{songs / request:,.0f}", f"{peak_memory(kept.pid):.0f} MiB"),
        f"{max(alive.waits) * 1000:.0f} ms of {len(alive.waits)}",
    ]
    return row, turns["kept"]


def main() -> None:
    """Measure and print."""
    in_background = int(sys.argv[1]) if sys.argv[1:] else SONGS_IN_BACKGROUND
    table = Table(
        *("songs", "request", "floor", "request ÷ floor", "features ÷ none", "songs/s"),
        *("peak memory", "longest /livez"),
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="genregraph-bench-")))
        folder.chmod(0o755)

        def served(keep_features: str) -> Served:
            settings = {"GENREGRAPH_KEEP_FEATURES": keep_features}
            started = service(folder / keep_features, settings=settings)
            url, pid = stack.enter_context(started)
            return Served(stack.enter_context(ApiClient(url)), pid)

        kept, bare = served("true"), served("false")
        floor = Floor(stack.enter_context(EmbeddedPostgres(folder / "floor")))
        for songs in SIZES:
            row, request = requests(floor, kept, bare, songs)
            table.add_row(*row)
        floor.close()
        path = folder / "songs.csv"
        with path.open("wb") as file:
            file.writelines(song_file_blocks(in_background))
        background = Turns()
        background.take(lambda: kept.classify_in_background(path, in_background), kept.pid)
        memory = peak_memory(kept.pid)
    rate = in_background / background.seconds[0]
    share = rate / (SIZES[-1] / statistics.median(request.seconds))
    cpu_share = sum(request.cpu) / (SIZES[-1] * ROUNDS) / (background.cpu[0] / in_background)
    console = Console(width=120)
    console.print(table)
    console.print(
        f"{in_background:,} songs in the background: {rate:,.0f} songs/s with the upload, {share:.2f} of the "
        f"rate in a request, by processor time {cpu_share:.2f}. Peak memory {memory:.0f} MiB."
    )
    console.print(
        f"Medians of {ROUNDS} turns and, after the /, ratios of processor time, that of PostgreSQL included; "
        f"{source_name()}, {os.cpu_count()} cores."
    )


if __name__ == "__main__":
    main()
