"""Lock a data folder."""

from __future__ import annotations

import os
from pathlib import Path

from app.local_postgres.errors import EmbeddedPostgresError


class FolderLock:
    """A file lock that the OS releases when its process ends."""

    def __init__(self, folder: Path, shown: Path) -> None:
        """Prepare the lock without acquiring it.

        Args:
            folder: the data folder.
            shown: the folder to name in messages.
        """
        self._path = folder / "postgres.lock"
        self._shown = shown
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Acquire the lock.

        Raises:
            EmbeddedPostgresError: another process holds it.
            OSError: the lock file cannot be created.
        """
        import fcntl  # noqa: PLC0415  (absent on Windows, where importing this module must not fail)

        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, 32).decode() or "?"
            os.close(descriptor)
            raise EmbeddedPostgresError(
                f"the data folder {self._shown} is in use by process {owner}; stop that process, or set "
                "GENREGRAPH_DATA_DIR to another folder"
            ) from None
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
