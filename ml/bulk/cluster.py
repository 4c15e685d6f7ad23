"""Worker processes on this machine, or a Dask cluster."""

# Dask is mostly untyped.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from distributed import Client, LocalCluster

from ml.errors import UnreachableError

CONNECT_SECONDS = 15
"""How long a scheduler may take to respond, and then to have a worker."""


@contextmanager
def local_cluster(workers: int) -> Iterator[Client]:
    """Run worker processes with one thread each on this machine; yield their client."""
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,  # parsing holds the GIL
            processes=True,
            protocol="tcp",
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # None would still use port 8787, and warn if it is in use
            worker_dashboard_address=None,
            silence_logs=logging.CRITICAL,  # busy workers log late heartbeats
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def scheduler_at(address: str) -> Iterator[Client]:
    """Yield a client of the Dask scheduler at `tcp://host:port`, or at another address that Dask supports.

    Raises:
        UnreachableError: it does not respond, or has no workers.
    """
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = str(error).strip() or "no answer"
        raise UnreachableError(f"cannot reach the Dask scheduler {address}: {reason}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError as error:
            raise UnreachableError(f"the Dask scheduler {address} has no workers") from error
        yield client
