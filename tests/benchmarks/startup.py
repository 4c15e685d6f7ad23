"""Measure `genregraph --help` and `genregraph serve` relative to importing the main libraries.

    python -m tests.benchmarks.startup

Each round runs all of them, so the ratios hold on a busy machine too. `serve` uses an existing folder and is
ready when `/healthcheck` responds with 200.
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
from urllib.error import URLError
from urllib.request import urlopen

from rich.console import Console
from rich.table import Table

from tests.support.folders import open_folder
from tests.support.ports import free_port
from tests.support.programs import GENREGRAPH

ROUNDS = 7
LIBRARIES = "strawberry, sqlalchemy, asyncpg, numpy, pyarrow, lightgbm"
POLL_SECONDS = 0.005


def run_seconds(*command: str) -> float:
    """Run a command and return its duration."""
    before = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - before


def ready_seconds(folder: Path) -> float:
    """Start the service, stop it, and return how long it took to become ready."""
    port = free_port()
    environment = {**os.environ, "GENREGRAPH_PORT": str(port), "GENREGRAPH_DATA_DIR": str(folder)}
    before = time.perf_counter()
    service = subprocess.Popen((*GENREGRAPH, "serve"), env=environment, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                with urlopen(f"http://127.0.0.1:{port}/healthcheck", timeout=10):
                    return time.perf_counter() - before
            except (URLError, ConnectionError):
                assert service.poll() is None, "the service did not start"
                time.sleep(POLL_SECONDS)
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait()


def main() -> None:
    """Measure and print medians and ratios."""
    seconds: dict[str, list[float]] = defaultdict(list)
    with open_folder() as folder:
        ready_seconds(folder)
        for _ in range(ROUNDS):
            seconds["imports"].append(run_seconds(sys.executable, "-c", f"import {LIBRARIES}"))
            seconds["--help"].append(run_seconds(*GENREGRAPH, "--help"))
            seconds["classify --help"].append(run_seconds(*GENREGRAPH, "classify", "--help"))
            seconds["serve, until ready"].append(ready_seconds(folder))
    table = Table("", "median", "min", "relative to the imports", title=f"{ROUNDS} rounds")
    for name, durations in seconds.items():
        ratios = [one / imports for one, imports in zip(durations, seconds["imports"], strict=True)]
        table.add_row(
            name,
            f"{statistics.median(durations):.2f} s",
            f"{min(durations):.2f} s",
            f"{statistics.median(ratios):.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
