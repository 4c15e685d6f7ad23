"""The one error of this package, and one-line messages for the failures of programs and the system."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from ml.errors import UserError


class EmbeddedPostgresError(UserError):
    """The server cannot run; the message is one line that says what to do."""


USE_ANOTHER_FOLDER = "set GENREGRAPH_DATA_DIR to another folder"
A_PAGE = 8192
ERROR_MARKERS = ("FATAL", "PANIC", "error:")


def explain_output(output: str, folder: Path, log: Path | None = None) -> str:
    """Return a message for a PostgreSQL program that failed in a folder, from its output."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for line in lines:
        # A full /dev/shm is not a full disk.
        if any(full in line for full in ("No space left", "quota exceeded")) and "shared memory" not in line:
            return _full(folder)
        if "Read-only file system" in line:
            return _read_only(folder)
    if not lines and shutil.disk_usage(folder).free < A_PAGE:  # too full for a log message
        return _full(folder)
    errors = [line for line in lines if any(word in line for word in ERROR_MARKERS)]
    reason = (errors or lines or ["no output"])[-1]
    return f"PostgreSQL cannot run in {folder}: {reason}" + (f" (its log is {log})" if log else "")


def explain_os_error(error: OSError, folder: Path) -> str:
    """Return a message for an operating system error at its path, or in a folder."""
    path = Path(str(error.filename)) if error.filename else folder
    if path.is_relative_to(folder):  # the user only knows the folder
        path = folder
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _full(path)
    if error.errno == errno.EROFS:
        return _read_only(path)
    if os.geteuid() == 0 and error.errno in {errno.EPERM, errno.EINVAL}:  # as in a rootless container
        return (
            f"root cannot start PostgreSQL as another account here: {error}; run as an ordinary user, or "
            "set GENREGRAPH_DATABASE_URL to a server"
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"permission denied: {path}; change its owner or {USE_ANOTHER_FOLDER}"
    return f"PostgreSQL cannot run in {folder}: {error}; {USE_ANOTHER_FOLDER}"


def _full(folder: Path) -> str:
    return f"the disk that holds {folder} is full; free some space or {USE_ANOTHER_FOLDER}"


def _read_only(folder: Path) -> str:
    return f"the disk that holds {folder} is read-only; {USE_ANOTHER_FOLDER}"
