"""`GET /batches/{id}/songs.csv`, `.jsonl` and `.parquet`: download the results of a batch.

`genre` is the batch's prediction; `verifiedGenre` is current at the time of the download.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from strawberry.relay import GlobalID

from app.batches.service import Batches, ResultsGoneError
from app.batches.song_parts import SongPart
from app.catalogue.service import Catalogue
from app.clients.roles import Caller
from app.database.errors import is_outage
from app.database.tables import BatchRow, BatchStatus
from app.errors import Code
from app.http.responses import RefusedRequestError
from app.http.result_files import CsvWriter, JsonLinesWriter, ParquetWriter, ResultColumns, Writer

_GONE = "The results of this batch are no longer kept. Query `songs(batchId:)` for those still stored."

Part = tuple[SongPart, Sequence[int]]

_FORMATS: dict[str, tuple[str, Callable[[ResultColumns], Writer]]] = {
    "csv": ("text/csv; charset=utf-8", CsvWriter),
    "jsonl": ("application/jsonl", JsonLinesWriter),
    "parquet": ("application/vnd.apache.parquet", ParquetWriter),
}


def batch_songs_routes(batches: Batches, catalogue: Catalogue) -> list[Route]:
    """Return the routes; `id` is `Batch.id` or the UUID in it."""

    def route(extension: str) -> Route:
        media_type, make_writer = _FORMATS[extension]

        async def download(request: Request) -> Response:
            try:
                batch = await _batch(request.path_params["id"], batches, request.state.caller)
                manifests = await catalogue.manifests_by_versions([batch.model_version])
                columns = ResultColumns(
                    genres=manifests[batch.model_version]["genres"],
                    min_confidence=batch.min_confidence,
                    model_version=batch.model_version,
                    classified_at=batch.finished_at or batch.created_at,
                )
                data = _bytes(batches.results(batch), catalogue, make_writer, columns)
                first = await anext(data)  # an error up to here can still become an error response
            except ResultsGoneError:
                raise RefusedRequestError(Code.RESULTS_GONE, _GONE) from None
            except Exception as error:
                if is_outage(error):
                    raise RefusedRequestError(Code.UNAVAILABLE) from error
                raise
            return StreamingResponse(
                _all_of(first, data),
                media_type=media_type,
                headers={"content-disposition": content_disposition(batch.file_name, extension)},
            )

        return Route(f"/batches/{{id}}/songs.{extension}", download, methods=["GET"])

    return [route(extension) for extension in _FORMATS]


def content_disposition(uploaded: str | None, extension: str) -> str:
    """Return the Content-Disposition (RFC 6266) with a file name based on the uploaded file's."""
    stem = PurePath((uploaded or "songs").replace("\\", "/")).stem or "songs"
    name = f"{stem}-genres.{extension}"
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%/;' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


async def _batch(text: str, batches: Batches, caller: Caller) -> BatchRow:
    """Return the batch with this id, whose results can be downloaded."""
    batch_id = _batch_id(text)
    batch = None if batch_id is None else (await batches.by_ids([batch_id], caller)).get(batch_id)
    if batch is None:
        raise RefusedRequestError(Code.NOT_FOUND, "The batch does not exist.")
    if batch.status != BatchStatus.SUCCEEDED:
        message = f"The batch has no songs: it is {batch.status}."
        raise RefusedRequestError(Code.BATCH_NOT_SUCCEEDED, message)
    if batch.results_until is None or batch.results_until <= datetime.now(UTC):
        raise RefusedRequestError(Code.RESULTS_GONE, _GONE)
    return batch


def _batch_id(text: str) -> uuid.UUID | None:
    with suppress(ValueError):
        return uuid.UUID(text)
    with suppress(ValueError):
        global_id = GlobalID.from_id(text)
        return uuid.UUID(global_id.node_id) if global_id.type_name == "Batch" else None
    return None


async def _bytes(
    parts: AsyncIterator[Part],
    catalogue: Catalogue,
    make_writer: Callable[[ResultColumns], Writer],
    columns: ResultColumns,
) -> AsyncGenerator[bytes, None]:
    writer = await anyio.to_thread.run_sync(make_writer, columns)

    def encoded(rows: Iterator[tuple[Any, ...]]) -> bytes:
        writer.write(rows)
        return writer.taken()

    async for part, left_out in parts:
        verified = await catalogue.verified_genres(part.track_ids.tolist())
        if data := await anyio.to_thread.run_sync(encoded, columns.rows(part, left_out, verified)):
            yield data
    await anyio.to_thread.run_sync(writer.end)
    yield writer.taken()


async def _all_of(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    async with aclosing(rest):
        yield first
        async for data in rest:
            yield data
