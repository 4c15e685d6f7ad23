"""What can end a bulk run, each with one line for the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from distributed.client import FutureCancelledError
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from ml.errors import UserError


class BulkError(UserError):
    """A run that cannot go on: one line that says why. Nothing was written."""


class BulkUsageError(BulkError):
    """What was asked for makes no sense: an input that is not there, an output that must not be touched."""

    exit_code = 2


class ClusterError(BulkError):
    """The Dask scheduler cannot be reached, has no workers, or was lost."""

    exit_code = 3


@contextmanager
def task_errors() -> Iterator[None]:
    """Raise what a task, or Dask itself, failed with as a `BulkError`."""
    try:
        yield
    except KilledWorker as error:
        message = "workers died again and again on the same work: perhaps they have too little memory"
        raise BulkError(message) from error
    except (FutureCancelledError, CommClosedError) as error:
        raise ClusterError("the Dask scheduler was lost") from error
    except ModuleNotFoundError as error:
        raise BulkError(f"a worker has no {error.name}: install genregraph[bulk] there too") from error
    except OSError as error:
        raise BulkError(f"a worker failed: {error}") from error
