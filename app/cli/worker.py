"""`genregraph worker`: its options."""

from __future__ import annotations

from typing import Annotated

import typer


def worker(
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=64, help="Batches to work on at once.")
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65_535, help="Port, on GENREGRAPH_HOST, for /metrics and /livez, open to all."
        ),
    ] = None,
) -> None:
    """Work on background batches, beside the workers inside `serve`, on this machine or any other.

    Examples:
      genregraph worker
      genregraph worker --concurrency 4 --metrics-port 9100
    """
    from app.cli.run_worker import run_worker

    run_worker(concurrency, metrics_port)
