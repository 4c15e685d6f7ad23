"""Remembering the models that classify songs here."""

from __future__ import annotations

from app.database.engine import SessionFactory
from app.repositories.models import ModelRepository
from ml.ensemble import Ensemble


async def register_model(sessions: SessionFactory, ensemble: Ensemble) -> None:
    """Remember a model in the database, so that its batches can name it; before its first batch."""
    manifest = ensemble.manifest
    async with sessions.begin() as session:
        await ModelRepository(session).register(manifest.model_version, manifest.to_json())
