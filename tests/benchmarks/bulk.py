"""Measure the throughput of `genregraph bulk`, to Parquet and to a database.

    python -m tests.benchmarks.bulk [SONGS]

The time is that of the whole command, including the start of its worker processes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from rich.console import Console
from rich.table import Table

from app.database.migrate import migrate
from app.local_postgres.server import EmbeddedPostgres
from tests.benchmarks.service import source_name, write_song_file
from tests.support.folders import open_folder
from tests.support.programs import GENREGRAPH

SONGS = 200_000
FILES = 4


def seconds(*arguments: str) -> float:
    """Run `genregraph bulk` and return its duration."""
    before = time.perf_counter()
    subprocess.run([*GENREGRAPH, "bulk", *arguments], check=True, capture_output=True)
    return time.perf_counter() - before


def main() -> None:
    """Measure and print."""
    songs = int(sys.argv[1]) if sys.argv[1:] else SONGS
    with open_folder() as folder:
        files = [folder / f"songs-{number}.csv" for number in range(FILES)]
        for number, file in enumerate(files):
            write_song_file(file, songs // FILES, first=number * songs // FILES)
        paths = [str(path) for path in files]
        with EmbeddedPostgres(folder / "postgres") as database_url:
            migrate(database_url)
            times = {
                "Parquet": seconds(*paths, "--output", str(folder / "output")),
                "database": seconds(*paths, "--output", database_url),
            }
    table = Table("output", "seconds", "songs per second")
    for output, duration in times.items():
        table.add_row(output, f"{duration:.1f}", f"{songs / duration:,.0f}")
    console = Console(width=100)
    console.print(table)
    console.print(f"{songs:,} {source_name()} in {FILES} files, {os.cpu_count()} worker processes.")


if __name__ == "__main__":
    main()
