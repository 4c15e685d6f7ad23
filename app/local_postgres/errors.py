"""The one error of this package."""

from __future__ import annotations


class EmbeddedPostgresError(Exception):
    """The server cannot run; the message is one line that says what to do."""
