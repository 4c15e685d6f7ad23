"""Clean up a server that a killed service left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from app.local_postgres.errors import EmbeddedPostgresError

PATIENCE_SECONDS = 30.0


def await_predecessor(data: Path) -> None:
    """Stop a server that still runs on a folder, and remove its stale lock file.

    Call this only with the folder's lock: it means that the server's service has ended.

    Raises:
        EmbeddedPostgresError: the server does not stop.
        OSError: this account is not permitted to stop it.
    """
    pid_file = data / "postmaster.pid"
    deadline = time.monotonic() + PATIENCE_SECONDS
    asked = False
    while (pid := _first_number(pid_file)) is not None and _exists(pid):
        if not _serves(pid, data):
            # An unreaped zombie (a container without an init) or another program that reuses the id.
            # PostgreSQL would take either for a running server.
            pid_file.unlink(missing_ok=True)
            return
        if not asked:
            os.kill(pid, signal.SIGINT)
            asked = True
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"an earlier server, process {pid}, still uses {data} and does not stop; kill it"
            )
        time.sleep(0.02)


def _first_number(path: Path) -> int | None:
    try:
        return int(path.read_text().split()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return None


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _serves(pid: int, data: Path) -> bool:
    """Return whether a process is a live PostgreSQL server on this folder."""
    if sys.platform != "linux":
        command = subprocess.run(  # noqa: S603  (the only input is a number)
            ["/bin/ps", "-p", str(pid), "-o", "command="], check=False, capture_output=True, text=True
        ).stdout
        return "postgres" in command and str(data) in command
    process = Path("/proc") / str(pid)
    try:
        # A server's working directory is its data folder; a zombie has none.
        return (process / "comm").read_text().startswith("postgres") and (process / "cwd").samefile(data)
    except OSError:
        return False
