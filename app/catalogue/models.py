"""The registered models, to which batches refer: their SQL, and registering the loaded one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.database.engine import SessionFactory
from app.database.errors import is_outage, reason
from app.database.tables import ModelRow
from ml.model.ensemble import Ensemble

RETRY_SECONDS = 0.5

log = structlog.get_logger(__name__)


class ModelRepository:
    """Writes models in the session's transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def register(self, version: str, manifest: dict[str, Any]) -> None:
        """Register a model unless its version is already registered."""
        await self._session.execute(
            insert(ModelRow)
            .values(version=version, manifest=manifest, registered_at=func.now())
            .on_conflict_do_nothing()
        )


@asynccontextmanager
async def model_registered(sessions: SessionFactory, ensemble: Ensemble) -> AsyncIterator[None]:
    """Register a model in the database, so that batches can refer to it.

    If the database is not writable, registration is retried in the background; until it succeeds, no
    batch can be stored.
    """
    retrying: asyncio.Task[None] | None = None
    try:
        await _register(sessions, ensemble)
    except Exception as error:
        if not is_outage(error):
            raise
        log.warning("cannot register the model, retrying", error=reason(error))
        retrying = asyncio.create_task(_keep_registering(sessions, ensemble))
    try:
        yield
    finally:
        if retrying is not None:
            retrying.cancel()


async def _register(sessions: SessionFactory, ensemble: Ensemble) -> None:
    manifest = ensemble.manifest
    async with sessions.begin() as session:
        await ModelRepository(session).register(manifest.model_version, manifest.to_json())


async def _keep_registering(sessions: SessionFactory, ensemble: Ensemble) -> None:
    while True:
        await asyncio.sleep(RETRY_SECONDS)
        try:
            await _register(sessions, ensemble)
        except Exception as error:
            if not is_outage(error):
                raise
        else:
            return
