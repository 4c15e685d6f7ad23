"""Threads against processes for reading and classifying a file, in one run.

    python -m tests.benchmarks.parallelism

Three ways for the same 40,000 songs, none of which writes anything: one thread; the service's own way, a
thread for each core; and a process for each core, given whole records to parse and classify, so that the
parent only cuts the file. What comes back is the same list of songs ready to be stored.
"""

from __future__ import annotations

import asyncio
import io
import multiprocessing
import os
import statistics
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial

import psutil
from rich.console import Console
from rich.table import Table

from app.batches.classifier import CHUNK_ROWS, SongClassifier
from app.batches.song_parts import PackedPart, pack_to_keep
from app.observability.metrics import Metrics
from app.resources import resource
from ml.model.artifact import load_ensemble
from ml.songs.csv_records import RecordReader
from ml.songs.csv_songs import SongFile
from tests.benchmarks.service import song_file, source_name

SONGS = 40_000
ROUNDS = 5

_in_this_process: SongClassifier
_pack = partial(pack_to_keep, keeps_features=True)


def _load() -> None:
    global _in_this_process  # noqa: PLW0603  (what a process pool's initializer is for)
    _in_this_process = SongClassifier(load_ensemble(resource("model")), Metrics())


def _classify_records(header: bytes, records: bytes) -> list[PackedPart]:
    file = SongFile(io.BytesIO(header + records), name="songs.csv")
    parts: list[PackedPart] = []
    for chunk in file.chunks():
        part, _ = _in_this_process._classify(chunk, 0, 1)  # noqa: SLF001  (the work itself)
        parts.append(_pack(part))
    return parts


def by_threads(classifier: SongClassifier, data: bytes) -> int:
    """Classify a file the service's way, and return how many songs it has."""

    async def run() -> int:
        file = SongFile(io.BytesIO(data), name="songs.csv", chunk_rows=CHUNK_ROWS)
        return sum([len(chunk.packed.part) async for chunk in classifier.classify_all(file, _pack)])

    return asyncio.run(run())


def by_processes(pool: ProcessPoolExecutor, data: bytes) -> int:
    """Classify a file in other processes, a few chunks of records ahead, and return how many songs it has."""
    reader = RecordReader(io.BytesIO(data))
    header = reader.take(1)
    assert header is not None
    running: deque[Future[list[PackedPart]]] = deque()
    songs = 0
    while (block := reader.take(CHUNK_ROWS)) is not None:
        running.append(pool.submit(_classify_records, b"".join(header.records), b"".join(block.records)))
        if len(running) > 2 * (os.cpu_count() or 1):
            songs += sum(len(packed.part) for packed in running.popleft().result())
    return songs + sum(len(packed.part) for future in running for packed in future.result())


def main() -> None:
    """Measure and print."""
    data = song_file(SONGS)
    ensemble = load_ensemble(resource("model"))
    one, many = SongClassifier(ensemble, Metrics()), SongClassifier(ensemble, Metrics())
    one.threads = 1
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), spawn, initializer=_load) as pool:
        ways: dict[str, Callable[[], int]] = {
            "one thread": lambda: by_threads(one, data),
            f"{many.threads} threads": lambda: by_threads(many, data),
            f"{os.cpu_count()} processes": lambda: by_processes(pool, data),
        }
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(ROUNDS + 1):
            for way, work in ways.items():
                before = time.perf_counter()
                assert work() == SONGS
                if turn:  # the first turn starts processes and fills caches
                    seconds[way].append(time.perf_counter() - before)
        children = sum(child.memory_info().rss for child in psutil.Process().children()) / 2**20
    table = Table("method", "seconds", "songs per second", "relative to one thread")
    single = statistics.median(seconds["one thread"])
    for way, times in seconds.items():
        median = statistics.median(times)
        table.add_row(way, f"{median:.2f}", f"{SONGS / median:,.0f}", f"{single / median:.2f}")
    console = Console(width=100)
    console.print(table)
    console.print(f"{SONGS:,} {source_name()}, {ROUNDS} rounds; the processes use {children:.0f} MiB more.")


if __name__ == "__main__":
    main()
