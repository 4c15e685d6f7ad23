"""The objects of a database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, inspect

from app.database.connect import Database
from app.database.engine import create_engine

Answer = TypeVar("Answer")


def look(database_url: str, question: Callable[[Connection], Answer]) -> Answer:
    async def run() -> Answer:
        engine = create_engine(Database(database_url), size=None)
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(question)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}
