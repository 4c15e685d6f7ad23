"""An embedded PostgreSQL server that stops with this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.local_postgres.programs import EmbeddedPostgresError
from app.local_postgres.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgresError", "local_postgres"]


@contextmanager
def local_postgres(data_dir: Path, *, join: bool = False) -> Iterator[Callable[[], str]]:
    """Run a server in this context; yield a function that waits until it is ready and returns its URL.

    With `join`, use the server that another process already runs on this folder, if any.

    Raises:
        EmbeddedPostgresError: the server cannot run. The yielded function may raise it too.
    """
    server = EmbeddedPostgres(data_dir)
    running = server.running_url() if join and data_dir.exists() else None
    if running is not None:
        yield lambda: running
        return
    server.launch()
    try:
        yield server.wait
    finally:
        server.stop()
