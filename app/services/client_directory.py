"""The clients that may call, in memory: read over and over from where they are kept."""

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

from app.database.engine import SessionFactory
from app.repositories.clients import ClientRepository
from app.services.credentials import ClientsError, Credential, hash_secret, parse_clients
from app.services.roles import Caller, Role

REFRESH_SECONDS = 2.0
"""How soon a change is noticed at the latest."""

UNKNOWN_REFRESH_SECONDS = 0.5
"""How often at most an unknown secret, which may be a new one, lets everything be read at once."""

NOTE_USE_SECONDS = 60.0
"""How often at most a client's last use is written down."""

_NO_HASH = bytes(32)

log = structlog.get_logger(__name__)


class CredentialSource(Protocol):
    """Where credentials are kept."""

    async def read(self) -> Sequence[Credential]:
        """Return those that are there now."""
        ...


class SettingsClients:
    """The clients of `GENREGRAPH_CLIENTS`, which stay as they are."""

    def __init__(self, text: str) -> None:
        """Read `id:secret,id:secret:role,…`.

        Raises:
            ClientsError: see `parse_clients`.
        """
        try:
            self._credentials = parse_clients(text.split(","))
        except ClientsError as error:
            raise ClientsError(f"GENREGRAPH_CLIENTS: {error}") from None

    async def read(self) -> Sequence[Credential]:
        """Return them."""
        return self._credentials


class FileClients:
    """The clients of a file, one a line, which a secrets manager may replace at any time."""

    def __init__(self, path: Path) -> None:
        """Read the file for the first time.

        Raises:
            ClientsError: it cannot be read.
        """
        self._path = path
        self._read()

    async def read(self) -> Sequence[Credential]:
        """Return those that are in the file now.

        Raises:
            ClientsError: it cannot be read.
        """
        return await asyncio.to_thread(self._read)

    def _read(self) -> Sequence[Credential]:
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
            return parse_clients(line for line in lines if line.strip() and not line.lstrip().startswith("#"))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ClientsError(f"GENREGRAPH_CLIENTS_FILE {self._path}: {reason}") from None


class StoredClients:
    """The clients in the database, which `genregraph clients` looks after."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions

    async def read(self) -> Sequence[Credential]:
        """Return those that are neither revoked nor expired."""
        async with self._sessions() as session:
            rows = await ClientRepository(session).valid_secrets(datetime.now(UTC))
        return [Credential(name, Role(role), digest, expires_at) for name, role, digest, expires_at in rows]


class ClientDirectory:
    """Knows who may call. A source that cannot be read keeps the clients that it had."""

    def __init__(self, sources: Sequence[CredentialSource], sessions: SessionFactory) -> None:
        """Make an empty directory; `running` fills it and keeps it up to date.

        Args:
            sources: where credentials are kept.
            sessions: of the database that the last use of a client is noted in.
        """
        self._sources = sources
        self._sessions = sessions
        self._read: list[Sequence[Credential]] = [() for _ in sources]
        self._troubles = [""] * len(sources)
        self._by_client: dict[str, tuple[Credential, ...]] = {}
        self._comparisons = 1
        self._refreshed_at = 0.0
        self._refreshing = asyncio.Lock()
        self._used: dict[str, datetime] = {}
        self._noted_at: dict[str, float] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the directory up to date inside this context."""
        await self.refresh()
        refreshing = asyncio.create_task(self._keep_refreshing())
        try:
            yield
        finally:
            refreshing.cancel()
            with suppress(asyncio.CancelledError):
                await refreshing
            await self._note_uses()

    async def authenticate(self, client_id: str, secret: str) -> Caller | None:
        """Return the caller whose secret this is, None if it is nobody's.

        How long that takes does not depend on whether the client exists or on how much of a secret is right.
        """
        role = self._role(client_id, secret)
        if role is None and time.monotonic() - self._refreshed_at > UNKNOWN_REFRESH_SECONDS:
            await self.refresh()
            role = self._role(client_id, secret)
        if role is None:
            return None
        self._used[client_id] = datetime.now(UTC)
        return Caller(client_id, role)

    def is_known(self, caller: Caller) -> bool:
        """Tell whether a client that was let in still has a valid secret and its role."""
        now = datetime.now(UTC)
        return any(
            known.role is caller.role and _is_valid(known, now)
            for known in self._by_client.get(caller.client_id, ())
        )

    async def refresh(self) -> None:
        """Read all sources."""
        async with self._refreshing:
            for number, source in enumerate(self._sources):
                try:
                    self._read[number] = await source.read()
                    trouble = ""
                except Exception as error:  # noqa: BLE001  (whatever it is, those known so far may still call)
                    trouble = str(error) or type(error).__name__
                if trouble and trouble != self._troubles[number]:
                    log.error("clients cannot be read; those known so far stay", reason=trouble)
                self._troubles[number] = trouble
            by_client: defaultdict[str, list[Credential]] = defaultdict(list)
            for credential in (credential for credentials in self._read for credential in credentials):
                by_client[credential.client_id].append(credential)
            self._by_client = {client_id: tuple(known) for client_id, known in by_client.items()}
            self._comparisons = max((len(known) for known in by_client.values()), default=1)
            self._refreshed_at = time.monotonic()

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
            await self._note_uses()

    async def _note_uses(self) -> None:
        now = time.monotonic()
        due = {
            name: moment
            for name, moment in self._used.items()
            if now - self._noted_at.get(name, -NOTE_USE_SECONDS) >= NOTE_USE_SECONDS
        }
        if not due:
            return
        try:
            async with self._sessions.begin() as session:
                await ClientRepository(session).note_uses(due)
        except Exception as error:  # noqa: BLE001  (the next time may be better)
            log.warning("could not note when clients were last used", error=repr(error))
            return
        for name in due:
            self._noted_at[name] = now
            del self._used[name]


def _is_valid(credential: Credential, now: datetime) -> bool:
    return credential.expires_at is None or now < credential.expires_at
