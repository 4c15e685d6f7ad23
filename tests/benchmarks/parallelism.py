"""Compare threads with processes for reading and classifying a file.

    python -m tests.benchmarks.parallelism

40,000 songs are classified in one thread, in one thread per core, which is the service's method, and in one
process per core. The processes parse and classify complete records, so the parent process only splits the
file. All return the same songs, ready to be stored; nothing is written.
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

from app import resource
from app.batches.classifier import CHUNK_ROWS, SongClassifier
from app.batches.song_parts import PackedPart, pack_to_keep
from app.observability.metrics import Metrics
from ml.model.artifact import load_ensemble
from ml.songs.csv_records import RecordReader
from ml.songs.csv_songs import SongFile
from tests.benchmarks.service import song_file, source_name

SONGS = 40_000
ROUNDS = 5

_pool_classifier: SongClassifier
_pack = partial(pack_to_keep, keeps_features=True)


def _load() -> None:
    global _pool_classifier  # noqa: PLW0603 - set by the initializer of the process pool
    _pool_classifier = SongClassifier(load_ensemble(resource("model")), Metrics())


def _classify_records(header: bytes, records: bytes) -> list[PackedPart]:
    file = SongFile(io.BytesIO(header + records), name="songs.csv")
    parts: list[PackedPart] = []
    for chunk in file.chunks():
        part, _ = _pool_classifier._classify(chunk, 0, 1)  # noqa: SLF001 - without its threads
        parts.append(_pack(part))
    return parts


def classify_in_threads(classifier: SongClassifier, data: bytes) -> int:
    """Classify a file with the service's method, and return the number of songs."""

    async def run() -> int:
        file = SongFile(io.BytesIO(data), name="songs.csv", chunk_rows=CHUNK_ROWS)
        return sum([len(chunk.packed.part) async for chunk in classifier.classify_all(file, _pack)])

    return asyncio.run(run())


def classify_in_processes(pool: ProcessPoolExecutor, data: bytes) -> int:
    """Classify a file in a process pool, reading a few chunks ahead, and return the number of songs."""
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
        methods: dict[str, Callable[[], int]] = {
            "one thread": lambda: classify_in_threads(one, data),
            f"{many.threads} threads": lambda: classify_in_threads(many, data),
            f"{os.cpu_count()} processes": lambda: classify_in_processes(pool, data),
        }
        seconds: dict[str, list[float]] = {method: [] for method in methods}
        for number in range(ROUNDS + 1):
            for method, classify in methods.items():
                before = time.perf_counter()
                assert classify() == SONGS
                if number:  # the first round starts processes and fills caches
                    seconds[method].append(time.perf_counter() - before)
        memory = sum(child.memory_info().rss for child in psutil.Process().children()) / 2**20
    table = Table("method", "seconds", "songs per second", "relative to one thread")
    single = statistics.median(seconds["one thread"])
    for method, durations in seconds.items():
        median = statistics.median(durations)
        table.add_row(method, f"{median:.2f}", f"{SONGS / median:,.0f}", f"{single / median:.2f}")
    console = Console(width=100)
    console.print(table)
    console.print(
        f"{SONGS:,} {source_name()}, medians of {ROUNDS} rounds. "
        f"The processes use {memory:.0f} MiB more memory."
    )


if __name__ == "__main__":
    main()
