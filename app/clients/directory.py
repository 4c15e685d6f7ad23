"""The in-memory directory of clients, refreshed from its sources."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import structlog

from app.clients.credentials import ClientsError, Credential, file_entries, hash_secret, parse_clients
from app.clients.repository import ClientRepository
from app.clients.roles import Caller, Role
from app.database.engine import SessionFactory

REFRESH_SECONDS = 2.0
"""Interval of refreshes."""

UNKNOWN_REFRESH_SECONDS = 0.05
"""Minimum interval of refreshes triggered by an unknown secret, which may be new."""

UNKNOWN_WAIT_SECONDS = 1.0
"""How long a caller with an unknown secret waits for that refresh."""

NOTE_USE_SECONDS = 60.0
"""Minimum interval for storing a client's last use."""

READ_SECONDS = 10.0
"""Time limit for reading a source or storing uses; then they are retried."""

_NO_HASH = bytes(32)

log = structlog.get_logger(__name__)


class CredentialSource(Protocol):
    """A source of credentials."""

    async def read(self) -> Sequence[Credential]:
        """Return the current credentials."""
        ...


class SettingsClients:
    """The fixed clients in `GENREGRAPH_CLIENTS`."""

    def __init__(self, text: str) -> None:
        """Parse `id:secret,id:secret:role,…`.

        Raises:
            ClientsError: see `parse_clients`.
        """
        try:
            self._credentials = parse_clients(text.split(","))
        except ClientsError as error:
            raise ClientsError(f"GENREGRAPH_CLIENTS: {error}") from None

    async def read(self) -> Sequence[Credential]:
        """Return the credentials."""
        return self._credentials


class FileClients:
    """The clients in a file, one per line, which a secrets manager may replace at any time."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            ClientsError: the file cannot be read.
        """
        self._path = path
        self._read()

    async def read(self) -> Sequence[Credential]:
        """Return the current credentials in the file.

        Raises:
            ClientsError: the file cannot be read.
        """
        return await asyncio.to_thread(self._read)

    def _read(self) -> Sequence[Credential]:
        try:
            return parse_clients(file_entries(self._path))
        except UnicodeDecodeError:
            raise ClientsError(
                f"GENREGRAPH_CLIENTS_FILE {self._path}: Not UTF-8. Save the file as UTF-8."
            ) from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ClientsError(f"GENREGRAPH_CLIENTS_FILE {self._path}: {reason}") from None


class StoredClients:
    """The clients in the database, managed by `genregraph clients`."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions

    async def read(self) -> Sequence[Credential]:
        """Return the credentials that are neither revoked nor expired."""
        async with self._sessions() as session:
            rows = await ClientRepository(session).valid_secrets(datetime.now(UTC))
        return [Credential(name, Role(role), digest, expires_at) for name, role, digest, expires_at in rows]


class ClientDirectory:
    """Knows all clients. If a source cannot be read, its last known clients stay valid."""

    def __init__(self, sources: Sequence[CredentialSource], sessions: SessionFactory) -> None:
        """Create an empty directory; `running` fills and refreshes it.

        Args:
            sources: the sources of credentials.
            sessions: session factory of the database that stores each client's last use.
        """
        self._sources = sources
        self._sessions = sessions
        self._read: list[Sequence[Credential]] = [() for _ in sources]
        self._troubles = [""] * len(sources)
        self._by_client: dict[str, tuple[Credential, ...]] = {}
        self._comparisons = 1
        self._refreshed_at = 0.0  # when the last complete refresh started
        self._refreshing: asyncio.Task[None] | None = None
        self._used: dict[str, datetime] = {}
        self._noted_at: dict[str, float] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the directory up to date in this context."""
        await self.refresh()
        keeping = asyncio.create_task(self._keep_refreshing())
        try:
            yield
        finally:
            for task in (keeping, self._refreshing):
                if task is not None:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
            await self._record_uses()

    async def authenticate(self, client_id: str, secret: str) -> Caller | None:
        """Return the caller with these credentials; None if they are wrong.

        The time taken does not depend on whether the client exists or how much of the secret is right.
        """
        role = self._role(client_id, secret)
        if role is None and await self._refreshed_after(time.monotonic()):
            role = self._role(client_id, secret)
        if role is None:
            return None
        self._used[client_id] = datetime.now(UTC)
        return Caller(client_id, role)

    def is_known(self, caller: Caller) -> bool:
        """Return whether an authenticated client still has a valid secret and the same role."""
        now = datetime.now(UTC)
        return any(
            known.role is caller.role and _is_valid(known, now)
            for known in self._by_client.get(caller.client_id, ())
        )

    async def _refreshed_after(self, moment: float) -> bool:
        """Wait for a refresh that starts after a moment; return whether it came in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(UNKNOWN_WAIT_SECONDS):
                while self._refreshed_at < moment:
                    next_one = self._refreshed_at + UNKNOWN_REFRESH_SECONDS
                    await asyncio.sleep(max(0, next_one - time.monotonic()))
                    await self.refresh()
                return True
        return False

    async def refresh(self) -> None:
        """Read all sources; concurrent calls share one refresh."""
        await asyncio.shield(self._refresh_once())

    def _refresh_once(self) -> asyncio.Task[None]:
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh())
        return self._refreshing

    async def _refresh(self) -> None:
        started = time.monotonic()
        for number, source in enumerate(self._sources):
            try:
                async with asyncio.timeout(READ_SECONDS):
                    self._read[number] = await source.read()
                trouble = ""
            except Exception as error:  # noqa: BLE001  (known clients stay valid after any error)
                trouble = str(error) or type(error).__name__
            if trouble and trouble != self._troubles[number]:
                log.error("clients cannot be read; known clients stay valid", reason=trouble)
            self._troubles[number] = trouble
        by_client: defaultdict[str, list[Credential]] = defaultdict(list)
        for credential in (credential for credentials in self._read for credential in credentials):
            by_client[credential.client_id].append(credential)
        self._by_client = {client_id: tuple(known) for client_id, known in by_client.items()}
        self._comparisons = max((len(known) for known in by_client.values()), default=1)
        self._refreshed_at = started

    def _role(self, client_id: str, secret: str) -> Role | None:
        presented = hash_secret(secret)
        known = self._by_client.get(client_id, ())
        now = datetime.now(UTC)
        role = None
        for place in range(self._comparisons):
            credential = known[place] if place < len(known) else None
            kept = _NO_HASH if credential is None else credential.secret_hash
            if hmac.compare_digest(presented, kept) and credential is not None and _is_valid(credential, now):
                role = credential.role
        return role

    async def _keep_refreshing(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            await self.refresh()
            await self._record_uses()

    async def _record_uses(self) -> None:
        now = time.monotonic()
        due = {
            name: moment
            for name, moment in self._used.items()
            if now - self._noted_at.get(name, -NOTE_USE_SECONDS) >= NOTE_USE_SECONDS
        }
        if not due:
            return
        try:
            async with asyncio.timeout(READ_SECONDS), self._sessions.begin() as session:
                await ClientRepository(session).record_uses(due)
        except Exception as error:  # noqa: BLE001  (retried next time)
            log.warning("could not store when clients were last used", error=repr(error))
            return
        for name in due:
            self._noted_at[name] = now
            del self._used[name]


def _is_valid(credential: Credential, now: datetime) -> bool:
    return credential.expires_at is None or now < credential.expires_at
