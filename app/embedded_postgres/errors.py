"""The one error of this package."""

from __future__ import annotations


class EmbeddedPostgresError(Exception):
    """The server cannot run; the message says in one line what is wrong, where, and what to do."""
