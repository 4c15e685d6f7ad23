"""`/livez`: the process answers. `/healthcheck`: it can do its work."""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app import __version__

DATABASE_TIMEOUT_SECONDS = 2.0

log = structlog.get_logger(__name__)


def health_routes(engine: AsyncEngine, model_version: str) -> list[Route]:
    """Return the two routes; both are open to everybody."""

    async def livez(_: Request) -> JSONResponse:
        return JSONResponse({"status": "alive"})

    async def healthcheck(_: Request) -> JSONResponse:
        database = await _database_state(engine)
        ready = database == "ok"
        return JSONResponse(
            {
                "status": "ok" if ready else "unavailable",
                "name": "genregraph",
                "version": __version__,
                "modelVersion": model_version,
                "database": database,
            },
            status_code=200 if ready else 503,
        )

    return [Route("/livez", livez), Route("/healthcheck", healthcheck)]


async def _database_state(engine: AsyncEngine) -> str:
    try:
        async with asyncio.timeout(DATABASE_TIMEOUT_SECONDS), engine.connect() as connection:
            await connection.execute(text("SELECT 1 FROM songs LIMIT 1"))
    except TimeoutError:
        return "no answer in time"
    except (SQLAlchemyError, OSError) as error:
        log.warning("database not reachable", error=str(error))
        return "unreachable"
    return "ok"
