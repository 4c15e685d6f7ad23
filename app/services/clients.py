"""Looking after the clients in the database: add, rotate, revoke, list."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.database.engine import SessionFactory
from app.database.tables import ClientRow, ClientSecretRow
from app.repositories.clients import ClientRepository
from app.services.credentials import CLIENT_NAME, hash_secret, new_secret
from app.services.roles import Role

KEEP_EXPIRED = timedelta(days=30)
"""How long `list` tells of a secret that has expired."""


class ClientAccountError(Exception):
    """What was asked for cannot be done; the message says why."""


@dataclass(frozen=True, slots=True)
class ClientAccount:
    """A client and its secrets, without anything secret.

    Attributes:
        name: the client's id.
        role: what it may do.
        created_at: when it was added.
        last_used_at: when it last called, within a minute; None if it never did.
        revoked_at: when it was revoked; None if it was not.
        secrets: when each was made and when it ends, None for never; oldest first.
    """

    name: str
    role: Role
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    secrets: Sequence[tuple[datetime, datetime | None]]


class ClientAccounts:
    """Looks after clients; each call is a transaction."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions

    async def add(self, name: str, role: Role) -> str:
        """Add a client and return its secret, which is kept nowhere.

        Raises:
            ClientAccountError: the name is taken, or cannot be one.
        """
        if not CLIENT_NAME.fullmatch(name):
            raise ClientAccountError(
                "a name has 1 to 64 letters, digits, dots, dashes and underscores, and begins with a letter "
                "or digit"
            )
        now = datetime.now(UTC)
        async with self._sessions.begin() as session:
            clients = ClientRepository(session)
            if await clients.locked(name) is not None:
                raise ClientAccountError(
                    f"there is a client {name} already; `genregraph clients rotate {name}` makes a new secret"
                )
            await clients.add(ClientRow(name=name, role=role.value, created_at=now))
            return await self._new_secret(clients, name, now)

    async def rotate(self, name: str, grace: timedelta) -> str:
        """Give a client a new secret and return it; the older ones end after a grace.

        A client that was revoked may call again, with the new secret alone.

        Raises:
            ClientAccountError: there is no such client.
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
        """End all secrets of a client now; its batches and songs stay.

        Raises:
            ClientAccountError: there is no such client.
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
                    name=client.name,
                    role=Role(client.role),
                    created_at=client.created_at,
                    last_used_at=client.last_used_at,
                    revoked_at=client.revoked_at,
                    secrets=secrets[client.name],
                )
                for client in await clients.all()
            ]

    async def _client(self, clients: ClientRepository, name: str) -> ClientRow:
        client = await clients.locked(name)
        if client is None:
            raise ClientAccountError(
                f"there is no client {name}; `genregraph clients list` tells who is there"
            )
        return client

    async def _new_secret(self, clients: ClientRepository, name: str, now: datetime) -> str:
        secret = new_secret()
        await clients.add_secret(
            ClientSecretRow(
                id=uuid.uuid4(), client_name=name, secret_hash=hash_secret(secret), created_at=now
            )
        )
        return secret
