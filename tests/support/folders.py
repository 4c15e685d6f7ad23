"""Temporary folders for databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def open_folder() -> Iterator[Path]:
    """Create a temporary folder that other users can enter.

    As root, the embedded PostgreSQL runs under another account, which cannot enter pytest's `tmp_path`.
    """
    with TemporaryDirectory(prefix="genregraph-test-") as path:
        Path(path).chmod(0o755)
        yield Path(path)
