"""The connections that lists and songs are read on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from app.database.connect import Database
from app.database.read_pool import ReadPool

OWN_PROCESS = "SELECT pg_backend_pid() AS pid"


@asynccontextmanager
async def pool_of(database_url: str, **options: Any) -> AsyncIterator[ReadPool]:
    pool = ReadPool(Database(database_url).connect, **options)
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


async def running_statements(database_url: str, text: str) -> int:
    connection = await asyncpg.connect(database_url)
    count = await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'genregraph' AND state = 'active' "
        "AND datname = current_database() AND query LIKE $1",
        f"%{text}%",
    )
    await connection.close()
    return int(count)


def test_statements_one_after_another_share_a_connection(database_url: str) -> None:
    async def work(pool: ReadPool) -> None:
        assert await process_id(pool) == await process_id(pool)

    run(database_url, work)


def test_statements_at_once_have_connections_of_their_own_up_to_the_size(database_url: str) -> None:
    async def work(pool: ReadPool) -> None:
        # when
        rows = await asyncio.gather(
            *(pool.fetch("SELECT pg_backend_pid() FROM pg_sleep(0.1)") for _ in range(6))
        )
        # then
        assert len({row[0][0] for row in rows}) == 2
        assert pool.in_use == 0

    run(database_url, work, size=2)


def test_connections_that_the_server_ended_cost_no_answer(database_url: str) -> None:
    async def work(pool: ReadPool) -> None:
        # given three open connections
        await asyncio.gather(*(pool.fetch("SELECT pg_sleep(0.1)") for _ in range(3)))
        killer = await asyncpg.connect(database_url)
        # when all are ended, and nothing was heard of that yet
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


def test_a_connection_that_breaks_while_a_statement_runs_costs_no_answer(database_url: str) -> None:
    async def work(pool: ReadPool) -> None:
        # given
        pid = await process_id(pool)
        waiting = asyncio.create_task(pool.fetch("SELECT 1 FROM pg_sleep(0.5)"))
        await asyncio.sleep(0.2)
        # when
        killer = await asyncpg.connect(database_url)
        await killer.execute("SELECT pg_terminate_backend($1)", pid)
        # then
        assert [tuple(row) for row in await waiting] == [(1,)]
        await killer.close()

    run(database_url, work)


def test_a_server_that_is_away_is_an_error() -> None:
    nowhere = "postgresql://postgres@127.0.0.1:1/postgres"

    async def work(pool: ReadPool) -> None:
        with pytest.raises(OSError, match="Connect call failed"):
            await pool.fetch("SELECT 1")

    run(nowhere, work)


def test_a_statement_that_takes_too_long_is_ended_in_the_database_too(database_url: str) -> None:
    async def work(pool: ReadPool) -> None:
        with pytest.raises(TimeoutError):
            await pool.fetch("SELECT pg_sleep(77)")
        # then
        async with asyncio.timeout(20):
            while await running_statements(database_url, "pg_sleep(77)"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        # and the next one is answered, on another connection
        assert await process_id(pool) > 0

    run(database_url, work, timeout_seconds=0.3, size=1)


def test_the_wait_for_a_connection_counts_as_time(database_url: str) -> None:
    async def work(pool: ReadPool) -> None:
        slow = asyncio.create_task(pool.fetch("SELECT pg_sleep(0.4)"))
        await asyncio.sleep(0.1)
        with pytest.raises(TimeoutError):
            await pool.fetch("SELECT pg_sleep(0.4)")
        await slow

    run(database_url, work, timeout_seconds=0.6, size=1)


def test_a_wrong_statement_is_an_error_and_does_no_harm(database_url: str) -> None:
    async def work(pool: ReadPool) -> None:
        with pytest.raises(asyncpg.UndefinedTableError):
            await pool.fetch("SELECT * FROM nothing_of_the_kind")
        assert await process_id(pool) > 0

    run(database_url, work)


def test_without_prepared_statements_it_reads_through_a_pooler_that_swaps_connections(
    database_url: str,
) -> None:
    async def main() -> None:
        pool = ReadPool(Database(f"{database_url}&statement_cache_size=0").connect)
        for _ in range(3):
            await pool.fetch("SELECT $1::int", 1)
        (row,) = await pool.fetch("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''")
        assert row["count"] == 0
        await pool.close()

    asyncio.run(main())
