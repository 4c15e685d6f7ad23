"""Alembic's entry point: runs revisions on the connection from `app.database.migrate`."""

from __future__ import annotations

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
    from app.database.migrate import run_on_configured_database

    run_on_configured_database(run)
