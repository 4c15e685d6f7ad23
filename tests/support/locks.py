"""Locks on a database's tables."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import asyncpg

from tests.support.waiting import DEADLINE_SECONDS

LOCKED_SECONDS = 60


@contextmanager
def locked(database_url: str, *tables: str) -> Iterator[None]:
    """Block all statements on these tables."""
    ready, done = Event(), Event()

    async def hold() -> None:
        connection = await asyncpg.connect(database_url)
        async with connection.transaction():
            for table in tables:
                await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            ready.set()
            await asyncio.to_thread(done.wait, LOCKED_SECONDS)
        await connection.close()

    thread = Thread(target=asyncio.run, args=(hold(),))
    thread.start()
    assert ready.wait(DEADLINE_SECONDS)
    try:
        yield
    finally:
        done.set()
        thread.join()
