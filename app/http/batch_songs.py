"""`GET /batches/{id}/songs.csv`: the classified songs of a batch as a file, for scripts."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import uuid
from collections.abc import AsyncIterator, Sequence

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from app.database.outage import is_outage
from app.database.tables import BatchRow, BatchStatus
from app.http.graphql_error import RETRY_AFTER, UNAVAILABLE_MESSAGE, graphql_error
from app.repositories.songs import ExportedSong
from app.services.catalogue import Catalogue

COLUMNS = ("trackID", "title", "genre", "confidence", "confident", "modelVersion")

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20")
"""What spreadsheets take for the start of a formula, or skip before one; last, the full-width signs."""


def batch_songs_route(catalogue: Catalogue) -> Route:
    """Return the route; `id` is `Batch.id` or the UUID in it."""

    async def songs_csv(request: Request) -> Response:
        batch_id = _batch_id(request.path_params["id"])
        try:
            batch = None
            if batch_id is not None:
                found = await catalogue.batches_by_ids([batch_id], request.state.caller)
                batch = found.get(batch_id)
        except Exception as error:
            if not is_outage(error):
                raise
            return graphql_error(503, "UNAVAILABLE", UNAVAILABLE_MESSAGE, RETRY_AFTER)
        if batch is None:
            return graphql_error(404, "NOT_FOUND", "There is no such batch.")
        if batch.status != BatchStatus.SUCCEEDED:
            message = f"The batch has no songs: it is {batch.status}."
            return graphql_error(409, "BATCH_NOT_SUCCEEDED", message)
        return StreamingResponse(
            _lines(catalogue, batch),
            media_type="text/csv; charset=utf-8",
            headers={
                "content-disposition": f'attachment; filename="songs-{batch.id}.csv"',
            },
        )

    return Route("/batches/{id}/songs.csv", songs_csv, methods=["GET"])


def spreadsheet_safe(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: an apostrophe goes before one like it."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _batch_id(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        pass
    try:
        kind, _, key = base64.b64decode(text, validate=True).decode().partition(":")
        return uuid.UUID(key) if kind == "Batch" else None
    except (binascii.Error, ValueError):
        return None


async def _lines(catalogue: Catalogue, batch: BatchRow) -> AsyncIterator[str]:
    yield _csv([COLUMNS])
    async for songs in catalogue.exported_songs(batch.id):
        yield _csv([_cells(song) for song in songs])


def _cells(song: ExportedSong) -> tuple[object, ...]:
    track_id, title, genre, confidence, confident, model_version = song
    return (
        track_id,
        spreadsheet_safe(title),
        spreadsheet_safe(genre),
        f"{confidence:.4f}",
        "true" if confident else "false",
        model_version,
    )


def _csv(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
