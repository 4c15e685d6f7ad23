"""Where work is done: worker processes of our own on this machine, or any Dask cluster."""

# Dask has few types of its own.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from distributed import Client, LocalCluster

from ml.bulk.errors import ClusterError

CONNECT_SECONDS = 15
"""How long a scheduler may take to answer, and then to have a worker."""


@contextmanager
def local_cluster(workers: int) -> Iterator[Client]:
    """Run worker processes on this machine, one thread each, and give a client of them."""
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,  # parsing holds the lock of the interpreter
            processes=True,
            protocol="tcp",
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # None would still take the port 8787, and warn if it is taken
            worker_dashboard_address=None,
            silence_logs=logging.CRITICAL,  # a busy worker reports its heartbeat when the run is over
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def scheduler_at(address: str) -> Iterator[Client]:
    """Give a client of a Dask scheduler.

    Args:
        address: `tcp://host:port`, or whatever else Dask understands.

    Raises:
        ClusterError: nothing answers there, or it has no workers.
    """
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = str(error).strip() or "no answer"
        raise ClusterError(f"cannot reach the Dask scheduler {address}: {reason}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError as error:
            raise ClusterError(f"the Dask scheduler {address} has no workers") from error
        yield client
