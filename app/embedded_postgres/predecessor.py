"""A server that was left on a data folder by a service killed a moment ago, or long ago."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from app.embedded_postgres.errors import EmbeddedPostgresError

PATIENCE_SECONDS = 30.0


def await_predecessor(data: Path) -> None:
    """Stop the server that still runs on a folder, wait for it, and clear what keeps a next one away.

    For the holder of the folder's lock alone: whatever server runs there, its service is gone.

    Raises:
        EmbeddedPostgresError: it does not stop.
        OSError: this account may not stop it.
    """
    pid_file = data / "postmaster.pid"
    deadline = time.monotonic() + PATIENCE_SECONDS
    asked = False
    while (pid := _first_number(pid_file)) is not None and _exists(pid):
        if not _serves(pid, data):
            # A zombie that nobody reaps (a container without an init), or another program that was
            # given the number since: PostgreSQL would take either for a living server, for ever.
            pid_file.unlink(missing_ok=True)
            return
        if not asked:
            os.kill(pid, signal.SIGINT)
            asked = True
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"a former server, process {pid}, still runs on {data} and does not stop; end it"
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
    """Tell whether a process is a PostgreSQL server on this very folder, and no zombie."""
    if sys.platform != "linux":
        command = subprocess.run(  # noqa: S603  (no input but a number)
            ["/bin/ps", "-p", str(pid), "-o", "command="], check=False, capture_output=True, text=True
        ).stdout
        return "postgres" in command and str(data) in command
    process = Path("/proc") / str(pid)
    try:
        # A server works in its data folder; a zombie works nowhere.
        return (process / "comm").read_text().startswith("postgres") and (process / "cwd").samefile(data)
    except OSError:
        return False
