"""Songs per second of `genregraph bulk` on processes of its own, to Parquet and to a service's tables.

    python -m tests.benchmarks.bulk [SONGS]

The time is that of the whole command, which starts its worker processes first.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from app.database.migrate import migrate
from app.local_postgres.server import EmbeddedPostgres
from tests.benchmarks.service import song_file_blocks, source_name

SONGS = 200_000
FILES = 4


def seconds(*arguments: str) -> float:
    """Run `genregraph bulk` and return how long it took."""
    before = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "app.cli.root", "bulk", *arguments], check=True, capture_output=True
    )
    return time.perf_counter() - before


def main() -> None:
    """Measure and print."""
    songs = int(sys.argv[1]) if sys.argv[1:] else SONGS
    with TemporaryDirectory(prefix="genregraph-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        files = []
        for number in range(FILES):
            files.append(folder / f"songs-{number}.csv")
            with files[-1].open("wb") as file:
                file.writelines(song_file_blocks(songs // FILES, first=number * songs // FILES))
        given = [str(path) for path in files]
        with EmbeddedPostgres(folder / "postgres") as database_url:
            migrate(database_url)
            times = {
                "Parquet": seconds(*given, "--output", str(folder / "output")),
                "database": seconds(*given, "--output", database_url),
            }
    table = Table("output", "seconds", "songs per second")
    for output, taken in times.items():
        table.add_row(output, f"{taken:.1f}", f"{songs / taken:,.0f}")
    console = Console(width=100)
    console.print(table)
    console.print(f"{songs:,} {source_name()} in {FILES} files, {os.cpu_count()} worker processes.")


if __name__ == "__main__":
    main()
