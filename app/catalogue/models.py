"""The registered models, to which batches refer: their SQL, and registering the loaded one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.database.engine import SessionFactory
from app.database.errors import is_outage, reason
from app.database.tables import ModelRow
from ml.model.manifest import Manifest

RETRY_SECONDS = 0.5

log = structlog.get_logger(__name__)


class ModelRepository:
    """Writes models in the session's transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def register(self, manifest: Manifest) -> None:
        """Register a model unless its version is already registered."""
        await self._session.execute(
            insert(ModelRow)
            .values(version=manifest.model_version, manifest=manifest.to_json(), registered_at=func.now())
            .on_conflict_do_nothing()
        )


@asynccontextmanager
async def model_registered(sessions: SessionFactory, manifest: Manifest) -> AsyncIterator[None]:
    """Register a model in the database, so that batches can refer to it.

    If the database is not writable, registration is retried in the background; until it succeeds, no
    batch can be stored.
    """

    async def outage() -> Exception | None:
        try:
            async with sessions.begin() as session:
                await ModelRepository(session).register(manifest)
        except Exception as error:
            if not is_outage(error):
                raise
            return error
        return None

    async def retry() -> None:
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            if await outage() is None:
                return

    retrying: asyncio.Task[None] | None = None
    if (error := await outage()) is not None:
        log.warning("cannot register the model, retrying", error=reason(error))
        retrying = asyncio.create_task(retry())
    try:
        yield
    finally:
        if retrying is not None:
            retrying.cancel()
