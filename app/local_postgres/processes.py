"""Tie a server to its service: it stops when its service ends, even one that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from app.local_postgres.programs import EmbeddedPostgresError, run

STOP_LEFTOVER_SECONDS = 30.0


class Watchdog:
    """A shell that interrupts another process when this one ends.

    It waits for the end of a pipe that this process holds open, as do children forked without exec: they
    can finish their work first. The signal of Linux for the death of a parent is sent when the *thread*
    that started the process ends, and needs code between fork and exec.
    """

    def __init__(self, pid: int) -> None:
        """Start to watch for a process."""
        self._shell = subprocess.Popen(  # noqa: S603  (fixed command)
            ["/bin/sh", "-c", 'read -r _; kill -INT "$1"', "sh", str(pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # Ctrl-C in a terminal must not stop it before this process
        )

    def dismiss(self) -> None:
        """Stop watching. Call this before the process ends, since its id may be reused."""
        self._shell.kill()
        self._shell.communicate()


@dataclass(frozen=True, slots=True)
class LockFile:
    """A server's process id and, if it accepts connections, its port, by its own `postmaster.pid`."""

    pid: int
    port: int | None

    @classmethod
    def read(cls, data: Path) -> LockFile | None:
        """Read the lock file of a data folder; None if there is none, or it is incomplete."""
        try:
            lines = (data / "postmaster.pid").read_text().split("\n")
            is_ready = any(line.strip() == "ready" for line in lines[7:])
            return cls(int(lines[0]), int(lines[3]) if is_ready else None)
        except (FileNotFoundError, ValueError):
            return None


def stop_leftover_server(data: Path) -> None:
    """Stop a server that still runs on a folder, and remove its stale lock file.

    Call this only with the folder's lock: it means that the server's service has ended.

    Raises:
        EmbeddedPostgresError: the server does not stop.
        OSError: this account is not permitted to stop it.
    """
    deadline = time.monotonic() + STOP_LEFTOVER_SECONDS
    interrupted = False
    while (lock_file := LockFile.read(data)) is not None:
        if not _serves(lock_file.pid, data):
            # Its id may be that of an unreaped zombie (a container without an init) or of another program.
            # PostgreSQL would take either for a running server.
            (data / "postmaster.pid").unlink(missing_ok=True)
            return
        if not interrupted:
            os.kill(lock_file.pid, signal.SIGINT)
            interrupted = True
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"an earlier server, process {lock_file.pid}, still uses {data} and does not stop; kill it"
            )
        time.sleep(0.02)


def _serves(pid: int, data: Path) -> bool:
    """Return whether a process is a live PostgreSQL server on this folder."""
    if sys.platform != "linux":
        command = run("/bin/ps", "-p", str(pid), "-o", "command=").stdout
        return "postgres" in command and str(data) in command
    process = Path("/proc") / str(pid)
    try:
        # A server's working directory is its data folder; a zombie has none.
        return (process / "comm").read_text().startswith("postgres") and (process / "cwd").samefile(data)
    except OSError:
        return False
