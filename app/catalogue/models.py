"""SQL for the registered models."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.database.tables import ModelRow


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
