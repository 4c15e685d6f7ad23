"""A PostgreSQL server of our own, run from a wheel's or the system's binaries, gone with this process."""

from __future__ import annotations

from app.embedded_postgres.errors import EmbeddedPostgresError
from app.embedded_postgres.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]
