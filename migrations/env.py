"""Alembic's entry point: runs revisions on the connection from `app.database.migrate`."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection

from app.database.tables import Table, is_ours


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Table.metadata, include_name=is_ours)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    context.configure(url="postgresql://", target_metadata=Table.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
elif (connection := context.config.attributes.get("connection")) is not None:
    run(connection)
else:  # the `alembic` command, for writing new revisions
    from app.database.connect import Database
    from app.database.engine import connected
    from app.settings import SettingsError, load_settings

    async def run_on_configured_database() -> None:
        url = load_settings().database_url
        if url is None:
            raise SystemExit("set GENREGRAPH_DATABASE_URL to the database for alembic")
        async with connected(Database(url.get_secret_value())) as sessions, sessions.begin() as session:
            await (await session.connection()).run_sync(run)

    try:
        asyncio.run(run_on_configured_database())
    except SettingsError as error:
        raise SystemExit(str(error)) from None
