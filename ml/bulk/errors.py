"""What can end a bulk run, each with one line for the user."""

from __future__ import annotations


class BulkError(Exception):
    """A run that cannot go on: one line that says why. Nothing was written."""


class BulkUsageError(BulkError):
    """What was asked for makes no sense: an input that is not there, an output that must not be touched."""


class ClusterError(BulkError):
    """The Dask scheduler cannot be reached, has no workers, or was lost."""
