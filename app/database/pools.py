"""Connection pools, one for each kind of work, so that none can starve another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from app.database.connect import Database
from app.database.engine import (
    DEFAULT_READ_TIMEOUT_SECONDS,
    connections_in_use,
    create_engine,
    create_session_factory,
)
from app.database.read_pool import ReadPool

WORKER_CONNECTIONS: Final = 2
"""For each batch of a worker: one stores songs while the other reads the file."""


@dataclass(frozen=True, slots=True)
class PoolSizes:
    """How a process's connections are split, so that uploads cannot use them all.

    Attributes:
        reads: for catalogue queries.
        others: for logins, health checks and other short transactions.
        writes: for uploads; each holds one until its batch is stored.
    """

    reads: int
    others: int
    writes: int

    @classmethod
    def of(cls, connections: int) -> PoolSizes:
        """Split a number of connections, at least 3."""
        reads = writes = max(1, connections * 2 // 5)
        return cls(reads, connections - reads - writes, writes)


class Pools:
    """The pools of a serving process.

    Attributes:
        reads: for catalogue queries.
        sessions: for logins, health checks and other short transactions.
        writes: for uploads, which wait indefinitely.
        work: for the worker, in addition to the others.
        engines: the engines of `sessions`, `writes` and `work`.
    """

    def __init__(
        self,
        database: Database,
        connections: int,
        *,
        worker_batches: int,
        read_timeout_seconds: float = DEFAULT_READ_TIMEOUT_SECONDS,
        on_wait: Callable[[str, float], None],
    ) -> None:
        """Create the pools; they connect on demand.

        Args:
            database: the database to connect to.
            connections: maximum number, excluding the worker's.
            worker_batches: the number of batches that the worker processes at once.
            read_timeout_seconds: time limit of a catalogue query.
            on_wait: records the pool and the seconds of each wait for a connection.
        """
        sizes = PoolSizes.of(connections)
        others = create_engine(database, size=sizes.others, on_wait=partial(on_wait, "others"))
        writes = create_engine(
            database, size=sizes.writes, timeout_seconds=None, on_wait=partial(on_wait, "writes")
        )
        work = create_engine(
            database, size=max(1, WORKER_CONNECTIONS * worker_batches), on_wait=partial(on_wait, "work")
        )
        self.reads = ReadPool(
            database.connect,
            size=sizes.reads,
            timeout_seconds=read_timeout_seconds,
            on_wait=partial(on_wait, "reads"),
        )
        self.sessions = create_session_factory(others)
        self.writes = create_session_factory(writes)
        self.work = create_session_factory(work)
        self.engines: tuple[AsyncEngine, ...] = (others, writes, work)

    @property
    def in_use(self) -> int:
        """The number of connections in use, excluding the worker's."""
        return self.reads.in_use + sum(connections_in_use(engine) for engine in self.engines[:2])

    async def close(self) -> None:
        """Close all connections."""
        await self.reads.close()
        for engine in self.engines:
            await engine.dispose()
