"""One clear line out of what a program or the system said."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

ELSEWHERE = "set GENREGRAPH_DATA_DIR to another folder"
A_PAGE = 8192
TELLING = ("FATAL", "PANIC", "error:")


def explain_output(output: str, folder: Path, log: Path | None = None) -> str:
    """Return what to tell the user after a program of PostgreSQL failed.

    Args:
        output: everything that it wrote.
        folder: where it worked.
        log: where to read on, if there is one.
    """
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for line in lines:
        # /dev/shm can be full as well, which is no fault of the disk.
        if any(full in line for full in ("No space left", "quota exceeded")) and "shared memory" not in line:
            return _full(folder)
        if "Read-only file system" in line:
            return _read_only(folder)
    if not lines and shutil.disk_usage(folder).free < A_PAGE:  # too full to say so in a log
        return _full(folder)
    telling = [line for line in lines if any(word in line for word in TELLING)]
    reason = (telling or lines or ["it said nothing"])[-1]
    return f"PostgreSQL cannot run in {folder}: {reason}" + (f" (its log is {log})" if log else "")


def explain_os_error(error: OSError, folder: Path) -> str:
    """Return what to tell the user after the system refused something.

    Args:
        error: the refusal.
        folder: where we worked, for refusals that name no path.
    """
    path = Path(str(error.filename)) if error.filename else folder
    if path.is_relative_to(folder):  # what is inside is our business; the user knows the folder
        path = folder
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _full(path)
    if error.errno == errno.EROFS:
        return _read_only(path)
    if os.geteuid() == 0 and error.errno in {errno.EPERM, errno.EINVAL}:  # as in a rootless container
        return (
            f"this root may not start PostgreSQL as another account: {error}; run as an ordinary user, or "
            "set GENREGRAPH_DATABASE_URL to a server"
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"this account may not use {path}; change its owner or {ELSEWHERE}"
    return f"PostgreSQL cannot run in {folder}: {error}; {ELSEWHERE}"


def _full(folder: Path) -> str:
    return f"the disk that holds {folder} is full; free some space or {ELSEWHERE}"


def _read_only(folder: Path) -> str:
    return f"the disk that holds {folder} is read-only; {ELSEWHERE}"
