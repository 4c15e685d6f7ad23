"""What the benchmarks have in common: files of any size, and the service as a process of its own."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from app.resources import resource
from tests.support.ports import free_port

REAL_SONGS = Path(__file__).parents[3] / "shared" / "data" / "test.csv"

BLOCK_ROWS = 10_000


def source_name() -> str:
    """Return what the files are made of."""
    return "real songs" if REAL_SONGS.exists() else "synthetic sample songs"


def song_file(rows: int) -> bytes:
    """Return a CSV of this many songs: the source's, repeated under new ids."""
    return b"".join(song_file_blocks(rows))


def song_file_blocks(rows: int, first: int = 0) -> Iterator[bytes]:
    """Give out the same, block by block, from the `first` of all songs on."""
    source = REAL_SONGS if REAL_SONGS.exists() else resource("data") / "sample" / "songs.csv"
    header, *songs = csv.reader(source.read_text(encoding="utf-8").splitlines())
    songs = [song for song in songs if all(song)]
    # Everything behind the id is written once a song, and the id put before it as often as it takes.
    rests = [_line(song[1:]) for song in songs]
    yield _line(header).encode()
    for start in range(0, rows, BLOCK_ROWS):
        numbers = range(first + start, first + min(start + BLOCK_ROWS, rows))
        yield "".join(f"{1_000_000 + number},{rests[number % len(rests)]}" for number in numbers).encode()


def _line(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


@contextmanager
def service(
    folder: Path,
    database_url: str | None = None,
    *options: str,
    settings: Mapping[str, str] | None = None,
) -> Iterator[tuple[str, int]]:
    """Run `genregraph serve` as a process of its own: its address and process id.

    Args:
        folder: of its embedded database.
        database_url: of a database to use instead.
        options: further options of the command.
        settings: variables of its environment.
    """
    port = free_port()
    command = [sys.executable, "-m", "app.cli.root", "serve", "--port", str(port), "--data-dir", str(folder)]
    command += options
    environment = dict(os.environ)
    if database_url is not None:
        environment |= {"GENREGRAPH_DATABASE_URL": database_url, "GENREGRAPH_CLIENTS": "test:test"}
    environment |= settings or {}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        while not answers(f"{url}/livez"):
            if process.poll() is not None:
                raise RuntimeError("the service did not start")
            time.sleep(0.05)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait()


def answers(url: str) -> bool:
    """Tell whether anything at all is answered at a URL."""
    try:
        httpx.get(url)
    except httpx.TransportError:
        return False
    return True


def peak_memory(pid: int) -> float:
    """Return the most memory that a process has held so far, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the system does not tell a process's peak memory")


def cpu_seconds(pid: int) -> float:
    """Return the user and system time that a process and its children have used so far."""
    ticks = 0
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, parent, *fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        number = int(path.parent.name)
        parents[number] = int(parent)
        used[number] = sum(map(int, fields[9:13]))  # also of children that ended
    for number, spent in used.items():
        ancestor = number
        while ancestor not in (pid, 0):
            ancestor = parents.get(ancestor, 0)
        ticks += spent if ancestor == pid else 0
    return ticks / os.sysconf("SC_CLK_TCK")
