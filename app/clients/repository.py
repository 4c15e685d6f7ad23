"""SQL of clients and their secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, or_, select, update
from sqlmodel import col

from app.database.engine import Repository
from app.database.tables import ClientRow, ClientSecretRow


class ClientRepository(Repository):
    """Reads and writes clients."""

    async def add(self, row: ClientRow | ClientSecretRow) -> None:
        """Insert a client or a secret."""
        self._session.add(row)
        await self._session.flush()

    async def locked(self, name: str) -> ClientRow | None:
        """Return a client, locked for this transaction; None if it does not exist."""
        return await self._session.scalar(
            select(ClientRow).where(col(ClientRow.name) == name).with_for_update()
        )

    async def all(self) -> Sequence[ClientRow]:
        """Return all clients by name."""
        return (await self._session.scalars(select(ClientRow).order_by(col(ClientRow.name)))).all()

    async def secrets(self) -> Sequence[ClientSecretRow]:
        """Return all secrets, oldest first."""
        query = select(ClientSecretRow).order_by(col(ClientSecretRow.created_at))
        return (await self._session.scalars(query)).all()

    async def valid_secrets(self, now: datetime) -> Sequence[tuple[str, str, bytes, datetime | None]]:
        """Return name, role, hash and expiry of the secrets valid at a time."""
        expires_at = col(ClientSecretRow.expires_at)
        query = (
            select(col(ClientRow.name), col(ClientRow.role), col(ClientSecretRow.secret_hash), expires_at)
            .join(ClientSecretRow, col(ClientSecretRow.client_name) == col(ClientRow.name))
            .where(col(ClientRow.revoked_at).is_(None), or_(expires_at.is_(None), expires_at > now))
        )
        rows = await self._session.execute(query)
        return [(name, role, digest, expires_at) for name, role, digest, expires_at in rows]

    async def expire_secrets(self, name: str, moment: datetime) -> None:
        """Expire a client's secrets at a time, unless they expire sooner."""
        expires_at = col(ClientSecretRow.expires_at)
        lasting = or_(expires_at.is_(None), expires_at > moment)
        await self._session.execute(
            update(ClientSecretRow)
            .where(col(ClientSecretRow.client_name) == name, lasting)
            .values(expires_at=moment)
        )

    async def remove_secrets_expired_before(self, moment: datetime) -> None:
        """Delete the secrets that expired before a time."""
        await self._session.execute(delete(ClientSecretRow).where(col(ClientSecretRow.expires_at) < moment))

    async def record_uses(self, uses: Mapping[str, datetime]) -> None:
        """Store when clients were last used; clients from other sources are skipped."""
        for name, moment in sorted(uses.items()):
            await self._session.execute(
                update(ClientRow).where(col(ClientRow.name) == name).values(last_used_at=moment)
            )
