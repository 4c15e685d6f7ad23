"""Song files of any size, and servers in their own processes."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil

from app import resource
from tests.support.ports import free_port
from tests.support.programs import GENREGRAPH
from tests.support.real_songs import REAL_SONGS

BLOCK_ROWS = 10_000

_REAL_SOURCE = REAL_SONGS / "test.csv"


def source_name() -> str:
    """Return a description of the songs in the files."""
    return "real songs" if _REAL_SOURCE.exists() else "synthetic sample songs"


def song_file(rows: int) -> bytes:
    """Return a CSV file with this many songs: those of the source, repeated with new ids."""
    return b"".join(song_file_blocks(rows))


def song_file_blocks(rows: int, first: int = 0) -> Iterator[bytes]:
    """Yield such a file in blocks; its songs are numbered from `first`."""
    source = _REAL_SOURCE if _REAL_SOURCE.exists() else resource("data") / "sample" / "songs.csv"
    header, *songs = csv.reader(source.read_text(encoding="utf-8").splitlines())
    # Format everything after the id once per source song.
    rests = [_line(song[1:]) for song in songs if all(song)]
    yield _line(header).encode()
    for start in range(0, rows, BLOCK_ROWS):
        numbers = range(first + start, first + min(start + BLOCK_ROWS, rows))
        yield "".join(f"{1_000_000 + number},{rests[number % len(rests)]}" for number in numbers).encode()


def write_song_file(path: Path, rows: int, first: int = 0) -> None:
    """Write such a file."""
    with path.open("wb") as file:
        file.writelines(song_file_blocks(rows, first))


def _line(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


@contextmanager
def server(command: Sequence[str | Path], url: str, environment: Mapping[str, str]) -> Iterator[int]:
    """Run a server until the end of the context, and wait until it responds; yields the process id.

    Args:
        command: starts the server.
        url: any response from it means that the server has started.
        environment: variables in addition to this process's.

    Raises:
        RuntimeError: the server ended instead.
    """
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    try:
        while not _responds(url):
            if process.poll() is not None:
                raise RuntimeError(f"did not start: {' '.join(map(str, command))}")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _responds(url: str) -> bool:
    try:
        httpx.get(url)
    except httpx.TransportError:
        return False
    return True


@contextmanager
def service(
    *options: str,
    folder: Path | None = None,
    database_url: str | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[tuple[str, int]]:
    """Run `genregraph serve` on one of two databases; yields its URL and process id.

    Args:
        options: further options of the command.
        folder: the folder of an embedded database.
        database_url: the URL of another database.
        settings: environment variables.
    """
    port = free_port()
    environment = dict(settings or {})
    if folder is not None:
        options = (*options, "--data-dir", str(folder))
    if database_url is not None:
        environment = {
            "GENREGRAPH_DATABASE_URL": database_url,
            "GENREGRAPH_CLIENTS": "test:test",
            **environment,
        }
    url = f"http://127.0.0.1:{port}"
    with server((*GENREGRAPH, "serve", "--port", str(port), *options), f"{url}/livez", environment) as pid:
        yield url, pid


def peak_memory(pid: int) -> float:
    """Return the peak resident memory of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not report the peak memory of a process")


def process_tree(pid: int) -> list[psutil.Process]:
    """Return a process and its descendants."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time used so far by a process and its descendants, including ended ones."""
    seconds = 0.0
    for process in process_tree(pid):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
    return seconds
