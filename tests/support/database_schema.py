"""The objects of a database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, inspect

from app.database.connect import Database
from app.database.engine import connected

Result = TypeVar("Result")


def look(database_url: str, inspection: Callable[[Connection], Result]) -> Result:
    async def run() -> Result:
        async with connected(Database(database_url)) as sessions, sessions.begin() as session:
            return await (await session.connection()).run_sync(inspection)

    return asyncio.run(run())


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}
