"""Alembic's entry point: runs revisions on the connection from `app.database.migrate`."""

from __future__ import annotations

import asyncio
from typing import Any

from alembic import context
from sqlalchemy import Connection

from app.database.tables import Table, is_ours


def run(connection: Connection | None, **options: Any) -> None:
    context.configure(connection, target_metadata=Table.metadata, **options)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run(None, url="postgresql://", literal_binds=True)
elif (connection := context.config.attributes.get("connection")) is not None:
    run(connection, include_name=is_ours)
else:  # the `alembic` command, for writing new revisions
    from app.database.connect import Database
    from app.database.engine import connected
    from app.settings import SettingsError, load_settings

    async def run_on_configured_database() -> None:
        url = load_settings().database_url
        if url is None:
            raise SystemExit("set GENREGRAPH_DATABASE_URL to the database for alembic")
        async with connected(Database(url.get_secret_value())) as sessions, sessions.begin() as session:
            await (await session.connection()).run_sync(run, include_name=is_ours)

    try:
        asyncio.run(run_on_configured_database())
    except SettingsError as error:
        raise SystemExit(str(error)) from None
