"""Measure a reclassification whose worker is killed, and the disk space used by songs.

    python -m tests.benchmarks.reclassification [SONGS]

A worker reclassifies all stored songs. After two fifths it is killed with SIGKILL and another is started. The
benchmark fails if songs of the old model are left, or if a genre or probability differs from before. Sizes
are those of vacuumed tables with indexes and TOAST after the songs were stored once, also extrapolated to a
million songs.
"""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from app.database.migrate import migrate
from app.local_postgres.server import EmbeddedPostgres
from tests.benchmarks.service import service, song_file, source_name
from tests.benchmarks.throughput import upload, wait_until_classified
from tests.support.client import ApiClient
from tests.support.databases import execute, rows
from tests.support.folders import open_folder
from tests.support.programs import GENREGRAPH
from tests.support.waiting import BATCH, eventually

SONGS = 100_000
KILLED_AT = 0.4

TABLES = ("songs", "song_features", "batch_result_parts")
"""The tables that grow with the songs."""

RECLASSIFY = "mutation { reclassifySongs(all: true) { id } }"
OLD_SONGS = '{ songs(modelVersion: "old") { totalCount } }'
CHECKSUM = """
SELECT md5(string_agg(track_id || predicted_genre || probabilities::text, ',' ORDER BY track_id)) FROM songs
"""


def distinct_songs(songs: int) -> Iterator[str]:
    """Yield the lines of a CSV file of songs similar to the source's; equal songs would compress too well."""
    source = csv.reader(song_file(songs).decode().splitlines())
    header = next(source)
    yield ",".join(header) + "\n"
    first_audio, title = header.index("vect_1"), header.index("title")
    generator = np.random.default_rng(0)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for number, cells in enumerate(source):
        audio = np.array(cells[first_audio:], np.float64)
        audio *= generator.uniform(0.98, 1.02, len(audio))
        cells[first_audio:] = [f"{value:.6g}" for value in audio]
        cells[title] += f" {number}"
        writer.writerow(cells)
        yield text.getvalue()
        text.seek(0)
        text.truncate()


def value(database_url: str, query: str) -> Any:
    """Return the value that a query selects."""
    ((selected,),) = rows(database_url, query)
    return selected


@contextmanager
def worker(database_url: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `genregraph worker` in its own process, and kill it at the end of the context."""
    process = subprocess.Popen(
        [*GENREGRAPH, "worker"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "GENREGRAPH_DATABASE_URL": database_url},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def processed(api: ApiClient, batch_id: str) -> int:
    """Return how many songs of a batch have been processed."""
    return int(api.execute(BATCH, id=batch_id)["batch"]["rowsProcessed"])


def store(api: ApiClient, folder: Path, songs: int) -> None:
    """Store songs by classifying them once."""
    path = folder / "songs.csv"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(distinct_songs(songs))
    wait_until_classified(api, upload(api, path)["id"], songs)


def reclassify(api: ApiClient, database_url: str, songs: int) -> dict[str, float]:
    """Reclassify all songs with two workers, the first of which is killed; return the seconds per step."""
    with worker(database_url) as first:
        started = time.perf_counter()
        batch_id = api.execute(RECLASSIFY)["reclassifySongs"]["id"]
        eventually(lambda: processed(api, batch_id) >= songs * KILLED_AT, "the first worker progresses", 600)
        first.kill()
        first.wait()
        killed, done = time.perf_counter(), processed(api, batch_id)
    with worker(database_url):
        eventually(lambda: processed(api, batch_id) > done, "the second worker resumes", 600)
        resumed = time.perf_counter()
        wait_until_classified(api, batch_id, songs)
        ended = time.perf_counter()
    if api.execute(OLD_SONGS)["songs"]["totalCount"]:
        raise RuntimeError("songs of the old model are left")
    return {
        f"{done:,} songs until the worker was killed": killed - started,
        "until another worker had started and resumed": resumed - killed,
        f"the other {songs - done:,} songs": ended - resumed,
    }


def measure(folder: Path, songs: int) -> tuple[dict[str, float], dict[str, int]]:
    """Store and reclassify songs; return the seconds per step and the bytes per table."""
    settings = {"GENREGRAPH_CLIENTS": "test:test:admin", "GENREGRAPH_WORKER_CONCURRENCY": "0"}
    with EmbeddedPostgres(folder / "postgres") as database_url:
        migrate(database_url)
        with service(database_url=database_url, settings=settings) as (url, _), ApiClient(url) as api:
            with worker(database_url):
                store(api, folder, songs)
            execute(database_url, "VACUUM FULL")
            sizes = {
                table: value(database_url, f"SELECT pg_total_relation_size('{table}')") for table in TABLES
            }
            before = value(database_url, CHECKSUM)
            execute(database_url, "UPDATE songs SET model_version = 'old', predicted_genre = 'none'")
            steps = reclassify(api, database_url, songs)
            if value(database_url, CHECKSUM) != before:
                raise RuntimeError("genres or probabilities differ from before")
    return steps, sizes


def main() -> None:
    """Measure and print."""
    songs = int(sys.argv[1]) if sys.argv[1:] else SONGS
    with open_folder() as folder:
        steps, sizes = measure(folder, songs)
    console = Console(width=100)
    table = Table("step", "seconds")
    for step, seconds in steps.items():
        table.add_row(step, f"{seconds:.1f}")
    console.print(table)
    table = Table("table", "bytes per song", "per million songs")
    for name, size in sizes.items():
        table.add_row(name, f"{size / songs:,.0f}", f"{size / songs * 1e6 / 1e9:.2f} GB")
    console.print(table)
    console.print(f"{songs:,} songs similar to {source_name()}; {os.cpu_count()} cores.")


if __name__ == "__main__":
    main()
