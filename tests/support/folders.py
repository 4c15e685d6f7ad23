"""Temporary folders for databases."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

MEMORY = Path("/dev/shm")  # noqa: S108 - only new subfolders with random names are used
NEEDED_BYTES = 4 << 30


@contextmanager
def open_folder(parent: Path | None = None) -> Iterator[Path]:
    """Create a temporary folder that other users can enter.

    As root, the embedded PostgreSQL runs under another account, which cannot enter pytest's `tmp_path`.
    """
    with TemporaryDirectory(prefix="genregraph-test-", dir=parent) as path:
        Path(path).chmod(0o755)
        yield Path(path)


@contextmanager
def open_fast_folder() -> Iterator[Path]:
    """Create such a folder in memory, or on disk if memory is short.

    Creating, copying and emptying databases takes a third of the processor time there. Benchmarks use disks.
    """
    with open_folder(_memory()) as path:
        yield path


def _memory() -> Path | None:
    """Return a file system in memory; None if it is missing, too small or does not run programs."""
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK):
        return None
    runs_programs = not os.statvfs(MEMORY).f_flag & getattr(os, "ST_NOEXEC", 0)
    return MEMORY if runs_programs and shutil.disk_usage(MEMORY).free >= NEEDED_BYTES else None
