"""The pool of connections for catalogue queries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from app.database.connect import Database
from app.database.engine import ReadPool
from tests.support.waiting import DEADLINE_SECONDS

OWN_PROCESS = "SELECT pg_backend_pid() AS pid"


@asynccontextmanager
async def pool_of(
    database_url: str, *, size: int = 10, timeout_seconds: float = 30.0
) -> AsyncIterator[ReadPool]:
    pool = ReadPool(Database(database_url).connect, size=size, timeout_seconds=timeout_seconds)
    try:
        yield pool
    finally:
        await pool.close()


def run(database_url: str, work: Callable[[ReadPool], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        async with pool_of(database_url, **options) as pool:
            await work(pool)

    asyncio.run(main())


async def process_id(pool: ReadPool) -> int:
    ((pid,),) = await pool.fetch(OWN_PROCESS)
    return int(pid)


async def wait_for_running(database_url: str, text: str, count: int) -> None:
    """Wait until the pool runs this many statements that contain the text."""
    connection = await asyncpg.connect(database_url)
    running = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'genregraph' AND state = 'active' "
        "AND datname = current_database() AND query LIKE $1"
    )
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await connection.fetchval(running, f"%{text}%") != count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await connection.close()


GATED = "SELECT pg_backend_pid() FROM pg_advisory_xact_lock_shared(7)"
"""Waits while the gate is closed, and returns its connection's process ID."""


@asynccontextmanager
async def closed_gate(database_url: str) -> AsyncIterator[None]:
    """Let statements that pass the gate wait."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("SELECT pg_advisory_lock(7)")
    try:
        yield
    finally:
        await connection.close()


async def pass_at_once(pool: ReadPool, database_url: str, statements: int, *, running: int) -> list[int]:
    """Run statements at the same time; return their process IDs.

    Args:
        pool: runs them.
        database_url: its database.
        statements: how many.
        running: how many of them have a connection at a time.
    """
    async with closed_gate(database_url):
        tasks = [asyncio.create_task(pool.fetch(GATED)) for _ in range(statements)]
        await wait_for_running(database_url, GATED, running)
    return [int((await task)[0][0]) for task in tasks]


def test_successive_statements_share_a_connection(database_url: str) -> None:
    async def work(pool: ReadPool) -> None:
        assert await process_id(pool) == await process_id(pool)

    run(database_url, work)


def test_concurrent_statements_use_separate_connections_up_to_the_pool_size(database_url: str) -> None:
    async def work(pool: ReadPool) -> None:
        # when
        process_ids = await pass_at_once(pool, database_url, 6, running=2)
        # then
        assert len(set(process_ids)) == 2
        assert pool.in_use == 0

    run(database_url, work, size=2)


def test_connections_closed_by_the_server_are_replaced(database_url: str) -> None:
    async def work(pool: ReadPool) -> None:
        # given three open connections
        await pass_at_once(pool, database_url, 3, running=3)
        killer = await asyncpg.connect(database_url)
        # when the server closes all of them and the pool has not noticed yet
        ended = await killer.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE application_name = 'genregraph' AND datname = current_database()"
        )
        answers = await asyncio.gather(*(pool.fetch("SELECT 1") for _ in range(3)))
        # then
        assert ended == 3
        assert [rows[0][0] for rows in answers] == [1, 1, 1]
        await killer.close()

    run(database_url, work)


def test_a_statement_is_retried_if_its_connection_breaks(database_url: str) -> None:
    async def work(pool: ReadPool) -> None:
        # given
        ended = await process_id(pool)
        async with closed_gate(database_url):
            waiting = asyncio.create_task(pool.fetch(GATED))
            await wait_for_running(database_url, GATED, 1)
            # when
            killer = await asyncpg.connect(database_url)
            await killer.execute("SELECT pg_terminate_backend($1, 60000)", ended)
            await killer.close()
        # then
        ((answered,),) = await waiting
        assert answered != ended

    run(database_url, work)


def test_an_unreachable_server_raises_an_outage() -> None:
    nowhere = "postgresql://postgres@127.0.0.1:1/postgres"

    async def work(pool: ReadPool) -> None:
        with pytest.raises(OSError, match="Connect call failed"):
            await pool.fetch("SELECT 1")

    run(nowhere, work)


def test_a_statement_that_times_out_is_cancelled_in_the_database(database_url: str) -> None:
    async def work(pool: ReadPool) -> None:
        with pytest.raises(TimeoutError):
            await pool.fetch("SELECT pg_sleep(77)")
        # then
        await wait_for_running(database_url, "pg_sleep(77)", 0)
        # and the next statement uses another connection
        assert await process_id(pool) > 0

    run(database_url, work, timeout_seconds=0.3, size=1)


def test_the_time_limit_includes_the_wait_for_a_connection(database_url: str) -> None:
    async def work(pool: ReadPool) -> None:
        # given statements that share one connection, each of which takes too long
        slow = [pool.fetch("SELECT pg_sleep(77)") for _ in range(40)]
        # then they time out together, not one after the other
        async with asyncio.timeout(10):
            results = await asyncio.gather(*slow, return_exceptions=True)
        assert {type(result) for result in results} == {TimeoutError}

    run(database_url, work, timeout_seconds=0.3, size=1)


def test_an_invalid_statement_fails_without_affecting_later_ones(database_url: str) -> None:
    async def work(pool: ReadPool) -> None:
        with pytest.raises(asyncpg.UndefinedTableError):
            await pool.fetch("SELECT * FROM nothing_of_the_kind")
        assert await process_id(pool) > 0

    run(database_url, work)


def test_reads_without_prepared_statements_work_through_a_transaction_pooler(
    database_url: str,
) -> None:
    async def work(pool: ReadPool) -> None:
        for _ in range(3):
            await pool.fetch("SELECT $1::int", 1)
        (row,) = await pool.fetch("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''")
        assert row["count"] == 0

    run(f"{database_url}&statement_cache_size=0", work)
