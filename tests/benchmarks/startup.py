"""How long `genregraph --help` and `genregraph serve` take, beside importing what serving is made of.

    python -m tests.benchmarks.startup

Each round runs all of them, one after the other, so that the ratios hold on a busy machine too. `serve` is
ready when `/healthcheck` answers 200; its folder exists already.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError
from urllib.request import urlopen

from rich.console import Console
from rich.table import Table

from tests.support.ports import free_port

ROUNDS = 7
LIBRARIES = "strawberry, sqlalchemy, asyncpg, numpy, pyarrow, lightgbm"
GENREGRAPH = (sys.executable, "-m", "app.cli.root")
POLL_SECONDS = 0.005


def run_seconds(*command: str) -> float:
    """Return how long a command takes that ends."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def ready_seconds(folder: Path) -> float:
    """Return how long the service takes to be ready on a folder; it is stopped afterwards."""
    port = free_port()
    environment = {**os.environ, "GENREGRAPH_PORT": str(port), "GENREGRAPH_DATA_DIR": str(folder)}
    start = time.perf_counter()
    service = subprocess.Popen((*GENREGRAPH, "serve"), env=environment, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                with urlopen(f"http://127.0.0.1:{port}/healthcheck", timeout=10):
                    return time.perf_counter() - start
            except (URLError, ConnectionError):
                assert service.poll() is None, "the service did not start"
                time.sleep(POLL_SECONDS)
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait()


def main() -> None:
    """Measure and print medians and ratios."""
    taken: dict[str, list[float]] = defaultdict(list)
    with TemporaryDirectory(prefix="genregraph-startup-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        ready_seconds(folder)
        for _ in range(ROUNDS):
            taken["the imports"].append(run_seconds(sys.executable, "-c", f"import {LIBRARIES}"))
            taken["--help"].append(run_seconds(*GENREGRAPH, "--help"))
            taken["classify --help"].append(run_seconds(*GENREGRAPH, "classify", "--help"))
            taken["serve, until ready"].append(ready_seconds(folder))
    table = Table("", "median", "lowest", "ratio to the imports", title=f"{ROUNDS} rounds")
    for what, times in taken.items():
        ratios = [time / imports for time, imports in zip(times, taken["the imports"], strict=True)]
        table.add_row(
            what,
            f"{statistics.median(times):.2f} s",
            f"{min(times):.2f} s",
            f"{statistics.median(ratios):.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
