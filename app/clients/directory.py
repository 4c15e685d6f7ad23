"""The in-memory directory of clients, refreshed from its sources."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path

import structlog

from app.clients.credentials import ClientsError, Credential, file_entries, hash_secret, parse_clients
from app.clients.repository import ClientRepository
from app.clients.roles import Caller, Role
from app.database.engine import SessionFactory
from app.settings import Settings

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

_INVALID = Credential("", Role.READER, bytes(32), datetime.min.replace(tzinfo=UTC))
"""Compared in place of missing credentials, so that all clients take the same time."""

CredentialSource = Callable[[], Awaitable[Sequence[Credential]]]
"""Reads the current credentials of a source."""

log = structlog.get_logger(__name__)


def configured_sources(settings: Settings) -> dict[str, CredentialSource]:
    """Return the sources of credentials in the settings, by the name of their setting.

    A secrets manager may replace the clients file at any time.

    Raises:
        ClientsError: a source cannot be read.
    """
    sources: dict[str, CredentialSource] = {}
    if settings.clients is not None:
        try:
            fixed = parse_clients(settings.clients.get_secret_value().split(","))
        except ClientsError as error:
            raise ClientsError(f"GENREGRAPH_CLIENTS: {error}") from None

        async def read_fixed() -> Sequence[Credential]:
            return fixed

        sources["GENREGRAPH_CLIENTS"] = read_fixed
    if settings.clients_file is not None:
        read_file = partial(_read_file, settings.clients_file)
        read_file()  # an unreadable file prevents the start
        sources["GENREGRAPH_CLIENTS_FILE"] = partial(asyncio.to_thread, read_file)
    return sources


def _read_file(path: Path) -> Sequence[Credential]:
    try:
        return parse_clients(file_entries(path))
    except UnicodeDecodeError:
        problem = "Not UTF-8. Save the file as UTF-8."
    except OSError as error:
        problem = str(error.strerror)
    except ValueError as error:
        problem = str(error)
    raise ClientsError(f"GENREGRAPH_CLIENTS_FILE {path}: {problem}")


class ClientDirectory:
    """Knows all clients. If a source cannot be read, its last known clients stay valid."""

    def __init__(self, configured: Iterable[CredentialSource], sessions: SessionFactory) -> None:
        """Create an empty directory; `running` fills and refreshes it.

        The database has further clients, and stores when each one was last used.
        """
        self._sessions = sessions
        self._sources: list[CredentialSource] = [self._read_stored, *configured]
        self._credentials: list[Sequence[Credential]] = [() for _ in self._sources]
        self._problems = [""] * len(self._sources)
        self._by_client: dict[str, list[Credential]] = {}
        self._comparisons = 1
        self._refreshed_at = 0.0  # when the last complete refresh started
        self._refreshing: asyncio.Task[None] | None = None
        self._used: dict[str, datetime] = {}
        self._stored_at: dict[str, float] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the directory up to date in this context."""
        await self.refresh()
        periodic = asyncio.create_task(self._keep_refreshing())
        try:
            yield
        finally:
            for task in (periodic, self._refreshing):
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
        known = self._by_client.get(caller.client_id, ())
        return any(credential.role is caller.role and credential.is_valid(now) for credential in known)

    async def _refreshed_after(self, moment: float) -> bool:
        """Wait for a refresh that starts after a moment; return whether it came in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(UNKNOWN_WAIT_SECONDS):
                while self._refreshed_at < moment:
                    next_refresh = self._refreshed_at + UNKNOWN_REFRESH_SECONDS
                    await asyncio.sleep(max(0, next_refresh - time.monotonic()))
                    await self.refresh()
                return True
        return False

    async def refresh(self) -> None:
        """Read all sources; concurrent calls share one refresh."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh())
        await asyncio.shield(self._refreshing)

    async def _refresh(self) -> None:
        started = time.monotonic()
        for number, read in enumerate(self._sources):
            problem = ""
            try:
                async with asyncio.timeout(READ_SECONDS):
                    self._credentials[number] = await read()
            except Exception as error:  # noqa: BLE001  (known clients stay valid after any error)
                problem = str(error) or type(error).__name__
            if problem and problem != self._problems[number]:
                log.error("clients cannot be read; known clients stay valid", reason=problem)
            self._problems[number] = problem
        by_client: defaultdict[str, list[Credential]] = defaultdict(list)
        for credential in chain.from_iterable(self._credentials):
            by_client[credential.client_id].append(credential)
        self._by_client = dict(by_client)
        self._comparisons = max(map(len, by_client.values()), default=1)
        self._refreshed_at = started

    async def _read_stored(self) -> Sequence[Credential]:
        async with self._sessions() as session:
            rows = await ClientRepository(session).valid_secrets(datetime.now(UTC))
        return [Credential(name, Role(role), digest, expires_at) for name, role, digest, expires_at in rows]

    def _role(self, client_id: str, secret: str) -> Role | None:
        presented = hash_secret(secret)
        known = self._by_client.get(client_id, ())
        padding = [_INVALID] * (self._comparisons - len(known))
        now = datetime.now(UTC)
        role = None
        for credential in (*known, *padding):
            if hmac.compare_digest(presented, credential.secret_hash) and credential.is_valid(now):
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
            if now - self._stored_at.get(name, -NOTE_USE_SECONDS) >= NOTE_USE_SECONDS
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
            self._stored_at[name] = now
            del self._used[name]
