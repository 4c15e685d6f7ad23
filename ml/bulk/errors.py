"""Errors that end a bulk run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from distributed.client import FutureCancelledError
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from ml.errors import UserError


class BulkError(UserError):
    """A run failed. Nothing was written."""


class BulkUsageError(BulkError):
    """The arguments are unusable: a missing input, or an output that must not be replaced."""

    exit_code = 2


class ClusterError(BulkError):
    """The Dask scheduler cannot be reached, has no workers, or was lost."""

    exit_code = 3


@contextmanager
def task_errors() -> Iterator[None]:
    """Convert errors of tasks and of Dask to `BulkError`."""
    try:
        yield
    except KilledWorker as error:
        message = "workers died repeatedly on the same task; they may have too little memory"
        raise BulkError(message) from error
    except (FutureCancelledError, CommClosedError) as error:
        raise ClusterError("the Dask scheduler was lost") from error
    except ModuleNotFoundError as error:
        raise BulkError(f"a worker has no {error.name}; install genregraph[bulk] there, too") from error
    except OSError as error:
        raise BulkError(f"a worker failed: {error}") from error
