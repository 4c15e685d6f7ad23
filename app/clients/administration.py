"""Administer the clients in the database: add, rotate, revoke, list."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.clients.credentials import CLIENT_NAME, hash_secret, new_secret
from app.clients.repository import ClientRepository
from app.clients.roles import Role
from app.database.engine import SessionFactory
from app.database.tables import ClientRow, ClientSecretRow
from ml.errors import UserError

KEEP_EXPIRED = timedelta(days=30)
"""How long `list` still shows an expired secret."""


class ClientAccountError(UserError):
    """The operation is not possible; the message says why."""


@dataclass(frozen=True, slots=True)
class ClientAccount:
    """A client and its secrets: creation and expiry (None means never) of each, oldest first.

    `last_used_at` is accurate to the minute; None if the client has never called.
    """

    name: str
    role: Role
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    secrets: Sequence[tuple[datetime, datetime | None]]


class ClientAccounts:
    """Administers clients; each call is a transaction."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions

    async def add(self, name: str, role: Role) -> str:
        """Add a client and return its secret, of which only the hash is stored.

        Raises:
            ClientAccountError: the name is taken or invalid.
        """
        if not CLIENT_NAME.fullmatch(name):
            raise ClientAccountError(
                "a name has 1 to 64 letters, digits, dots, dashes and underscores, and starts with a letter "
                "or digit"
            )
        now = datetime.now(UTC)
        async with self._sessions.begin() as session:
            clients = ClientRepository(session)
            if await clients.locked(name) is not None:
                raise ClientAccountError(
                    f"client {name} already exists; `genregraph clients rotate {name}` creates a new secret"
                )
            await clients.add(ClientRow(name=name, role=role.value, created_at=now))
            return await self._new_secret(clients, name, now)

    async def rotate(self, name: str, grace: timedelta) -> str:
        """Add a secret to a client and return it; older ones expire after a grace period.

        This also reactivates a revoked client, with only the new secret.

        Raises:
            ClientAccountError: the client does not exist.
        """
        now = datetime.now(UTC)
        async with self._sessions.begin() as session:
            clients = ClientRepository(session)
            client = await self._client(clients, name)
            await clients.expire_secrets(name, now if client.revoked_at else now + grace)
            await clients.remove_secrets_expired_before(now - KEEP_EXPIRED)
            client.revoked_at = None
            return await self._new_secret(clients, name, now)

    async def revoke(self, name: str) -> None:
        """Revoke a client and all its secrets; its batches and songs stay.

        Raises:
            ClientAccountError: the client does not exist.
        """
        now = datetime.now(UTC)
        async with self._sessions.begin() as session:
            clients = ClientRepository(session)
            client = await self._client(clients, name)
            client.revoked_at = client.revoked_at or now
            await clients.expire_secrets(name, now)

    async def all(self) -> list[ClientAccount]:
        """Return all clients by name."""
        async with self._sessions() as session:
            clients = ClientRepository(session)
            secrets: defaultdict[str, list[tuple[datetime, datetime | None]]] = defaultdict(list)
            for secret in await clients.secrets():
                secrets[secret.client_name].append((secret.created_at, secret.expires_at))
            return [
                ClientAccount(
                    row.name,
                    Role(row.role),
                    row.created_at,
                    row.last_used_at,
                    row.revoked_at,
                    secrets[row.name],
                )
                for row in await clients.all()
            ]

    async def _client(self, clients: ClientRepository, name: str) -> ClientRow:
        client = await clients.locked(name)
        if client is None:
            problem = f"client {name} does not exist; `genregraph clients list` lists all clients"
            raise ClientAccountError(problem)
        return client

    async def _new_secret(self, clients: ClientRepository, name: str, now: datetime) -> str:
        secret = new_secret()
        row = ClientSecretRow(
            id=uuid.uuid4(), client_name=name, secret_hash=hash_secret(secret), created_at=now
        )
        await clients.add(row)
        return secret
