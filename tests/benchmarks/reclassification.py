"""Classify stored songs again while the worker that does it is killed, and say what songs take on disk.

    python -m tests.benchmarks.reclassification [SONGS]

A worker classifies the stored songs; at two fifths it is ended by SIGKILL and another one is started. No song
may be left of the old model or get another genre than before, or this fails. Sizes are those of tables with
their indexes and TOAST, vacuumed after the songs were stored once; for a million songs they are multiplied.
"""

from __future__ import annotations

import asyncio
import csv
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import numpy as np
from rich.console import Console
from rich.table import Table

from app.database.migrate import migrate
from app.local_postgres.server import EmbeddedPostgres
from tests.benchmarks.service import service, song_file, source_name
from tests.benchmarks.throughput import upload
from tests.support.client import ApiClient
from tests.support.waiting import BATCH, eventually, finished

SONGS = 100_000
KILLED_AT = 0.4

TABLES = ("songs", "song_features", "batch_result_parts")
"""What grows with the songs."""

RECLASSIFY = "mutation { reclassifySongs(all: true) { id } }"
OLD_SONGS = '{ songs(modelVersion: "old") { totalCount } }'
CHECKSUM = """
SELECT md5(string_agg(track_id || predicted_genre || probabilities::text, ',' ORDER BY track_id)) FROM songs
"""


def distinct_songs(songs: int) -> Iterator[str]:
    """Give out the lines of a CSV of songs that are near the source's; equal ones would take little space."""
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


def sql(database_url: str, statement: str) -> Any:
    """Execute a statement, and return the first value that it gives."""

    async def execute() -> Any:
        connection = await asyncpg.connect(database_url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(execute())


@contextmanager
def worker(database_url: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `genregraph worker` as a process of its own, and kill it at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli.root", "worker"],
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
    """Return how many songs of a batch are done."""
    return int(api.execute(BATCH, id=batch_id)["batch"]["rowsProcessed"])


def store(api: ApiClient, folder: Path, songs: int) -> None:
    """Classify songs for the first time."""
    path = folder / "songs.csv"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(distinct_songs(songs))
    batch = finished(api, upload(api, path)["id"], seconds=3_600)
    if batch["rowsClassified"] != songs:
        raise RuntimeError(f"the service answered {batch}")


def reclassify(api: ApiClient, database_url: str, songs: int) -> dict[str, float]:
    """Classify all songs again with two workers, the first of which is killed; return seconds by step."""
    with worker(database_url) as first:
        started = time.perf_counter()
        batch_id = api.execute(RECLASSIFY)["reclassifySongs"]["id"]
        eventually(lambda: processed(api, batch_id) >= songs * KILLED_AT, "the first worker is on", 600)
        first.kill()
        first.wait()
        killed, done = time.perf_counter(), processed(api, batch_id)
    with worker(database_url):
        eventually(lambda: processed(api, batch_id) > done, "the second worker goes on", 600)
        resumed = time.perf_counter()
        batch = finished(api, batch_id, seconds=3_600)
        ended = time.perf_counter()
    if (batch["status"], batch["rowsClassified"]) != ("SUCCEEDED", songs):
        raise RuntimeError(f"the service answered {batch}")
    if api.execute(OLD_SONGS)["songs"]["totalCount"]:
        raise RuntimeError("songs of the old model are left")
    return {
        f"{done:,} songs until the worker was killed": killed - started,
        "until another worker had gone on": resumed - killed,
        f"the other {songs - done:,} songs": ended - resumed,
    }


def main() -> None:
    """Measure and print."""
    songs = int(sys.argv[1]) if sys.argv[1:] else SONGS
    with TemporaryDirectory(prefix="genregraph-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with EmbeddedPostgres(folder / "postgres") as database_url:
            migrate(database_url)
            settings = {"GENREGRAPH_CLIENTS": "test:test:admin", "GENREGRAPH_WORKER_CONCURRENCY": "0"}
            with (
                service(folder / "service", database_url, settings=settings) as (url, _),
                ApiClient(url) as api,
            ):
                with worker(database_url):
                    store(api, folder, songs)
                sql(database_url, "VACUUM FULL")
                size = "SELECT pg_total_relation_size('{}')"
                sizes = {table: sql(database_url, size.format(table)) for table in TABLES}
                before = sql(database_url, CHECKSUM)
                sql(database_url, "UPDATE songs SET model_version = 'old', predicted_genre = 'none'")
                steps = reclassify(api, database_url, songs)
                if sql(database_url, CHECKSUM) != before:
                    raise RuntimeError("songs got other genres or probabilities than before")
    console = Console(width=100)
    table = Table("step", "seconds")
    for step, seconds in steps.items():
        table.add_row(step, f"{seconds:.1f}")
    console.print(table)
    table = Table("table", "bytes a song", "a million songs")
    for kept, size in sizes.items():
        table.add_row(kept, f"{size / songs:,.0f}", f"{size / songs * 1e6 / 1e9:.2f} GB")
    console.print(table)
    console.print(f"{songs:,} songs near {source_name()}; {os.cpu_count()} cores.")


if __name__ == "__main__":
    main()
