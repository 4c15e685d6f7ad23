"""Read batches and the problems in their files."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

from app.batches.repository import BatchRepository
from app.catalogue.paging import Page, check_page_size
from app.clients.roles import Caller
from app.database.engine import DEFAULT_READ_TIMEOUT_SECONDS, SessionFactory, reading
from app.database.tables import BatchProblemRow, BatchRow


class Batches:
    """Reads batches. Each call uses its own session, so calls may run concurrently."""

    def __init__(
        self, sessions: SessionFactory, *, read_timeout_seconds: float = DEFAULT_READ_TIMEOUT_SECONDS
    ) -> None:
        """Create the service.

        Args:
            sessions: creates database sessions.
            read_timeout_seconds: timeout of each read, including the wait for a connection.
        """
        self._sessions = sessions
        self._read_timeout_seconds = read_timeout_seconds

    async def page(self, first: int, after: str | None, caller: Caller) -> Page[BatchRow]:
        """Return a page of the batches visible to the caller, newest first.

        Raises:
            InvalidArgumentError: `first` is out of range.
            InvalidCursorError: `after` is not a cursor of the batch list.
        """
        check_page_size(first)
        async with reading(self._sessions, self._read_timeout_seconds) as session:
            return await BatchRepository(session).page(first, after, caller.batches_of)

    async def count(self, caller: Caller) -> int:
        """Return the number of batches visible to the caller."""
        async with reading(self._sessions, self._read_timeout_seconds) as session:
            return await BatchRepository(session).count(caller.batches_of)

    async def by_ids(self, batch_ids: Iterable[uuid.UUID], caller: Caller) -> dict[uuid.UUID, BatchRow]:
        """Return the batches that exist and are visible to the caller, by ID."""
        async with reading(self._sessions, self._read_timeout_seconds) as session:
            batches = await BatchRepository(session).by_ids(batch_ids)
        return {key: batch for key, batch in batches.items() if caller.may_see(batch.client_id)}

    async def problems(self, batch_id: uuid.UUID, first: int) -> Sequence[BatchProblemRow]:
        """Return the first problems in a batch's file.

        Raises:
            InvalidArgumentError: `first` is out of range.
        """
        check_page_size(first)
        async with reading(self._sessions, self._read_timeout_seconds) as session:
            return await BatchRepository(session).problems(batch_id, first)
