"""`/livez`: the process answers. `/healthcheck`: it can do its work, and should be sent some."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app import __version__
from app.database.engine import SessionFactory
from app.database.migrate import known_revisions
from app.repositories.queue import QueueRepository

DATABASE_TIMEOUT_SECONDS = 2.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Database:
    """What the database says.

    Attributes:
        state: `ok`, or what is wrong.
        migrations: `current`; `ahead`, when a newer release has migrated, which is no harm; `behind`.
        worker: `running` if any worker, in whatever process, is connected.
    """

    state: str
    migrations: str = "unknown"
    worker: str = "unknown"


def health_routes(
    sessions: SessionFactory, model_version: str, is_stopping: Callable[[], bool]
) -> list[Route]:
    """Return the two routes; both are open to everybody.

    Args:
        sessions: of the database.
        model_version: of the model that decides.
        is_stopping: whether the process is about to end, and wants no more requests.
    """

    async def livez(_: Request) -> JSONResponse:
        return JSONResponse({"status": "alive"})

    async def healthcheck(_: Request) -> JSONResponse:
        database = await _look(sessions)
        ready = database.state == "ok" and database.migrations != "behind" and not is_stopping()
        status = "ok" if ready else "stopping" if is_stopping() else "unavailable"
        return JSONResponse(
            {
                "status": status,
                "name": "genregraph",
                "version": __version__,
                "modelVersion": model_version,
                "database": database.state,
                "migrations": database.migrations,
                "worker": database.worker,
            },
            status_code=200 if ready else 503,
        )

    return [Route("/livez", livez), Route("/healthcheck", healthcheck)]


async def _look(sessions: SessionFactory) -> _Database:
    try:
        async with asyncio.timeout(DATABASE_TIMEOUT_SECONDS), sessions() as session:
            await session.execute(text("SELECT 1 FROM songs LIMIT 1"))
            revision = await session.scalar(text("SELECT version_num FROM alembic_version"))
            workers = await QueueRepository(session).workers()
    except TimeoutError:
        return _Database("no answer in time")
    except (SQLAlchemyError, OSError) as error:
        log.warning("database not reachable", error=str(error))
        return _Database("unreachable")
    return _Database("ok", _migrations(revision), "running" if workers else "none")


def _migrations(revision: str | None) -> str:
    known = known_revisions()
    if revision == known[0]:
        return "current"
    return "behind" if revision is None or revision in known else "ahead"
