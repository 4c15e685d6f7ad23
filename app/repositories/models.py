"""The models that have classified songs here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.database.tables import ModelRow


class ModelRepository:
    """Reads and writes models in the session's transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def register(self, version: str, manifest: dict[str, Any]) -> None:
        """Remember a model; one of this version that is known already stays as it is."""
        await self._session.execute(
            insert(ModelRow)
            .values(version=version, manifest=manifest, registered_at=func.now())
            .on_conflict_do_nothing()
        )

    async def by_versions(self, versions: Iterable[str]) -> dict[str, ModelRow]:
        """Return the models among these that are known, by version."""
        query = select(ModelRow).where(col(ModelRow.version).in_(list(versions)))
        return {model.version: model for model in await self._session.scalars(query)}
