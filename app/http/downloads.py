"""`GET /batches/{id}/songs.csv`, `.jsonl` and `.parquet`: download the results of a batch.

`genre` is the batch's prediction; `verifiedGenre` is current at the time of the download.
"""

from __future__ import annotations

import csv
import io
import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any, Final
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

_GONE: Final = "The results of this batch are no longer kept. Query `songs(batchId:)` for those still stored."

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20")
"""Characters that start a formula in spreadsheets, or are skipped before one; includes full-width signs."""

_PARTS_PER_ROW_GROUP: Final = 25

Row = tuple[Any, ...]
"""The values of a song, one for each of `_Columns.names`."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """The columns of a download, and the values that all songs of a batch share."""

    genres: Sequence[str]
    min_confidence: float
    model_version: str
    classified_at: datetime

    @property
    def names(self) -> tuple[str, ...]:
        return (
            *("trackID", "title", "genre", "verifiedGenre", "confidence", "confident"),
            *(f"probability_{genre}" for genre in self.genres),
            *("modelVersion", "classifiedAt"),
        )

    def rows(self, part: SongPart, omitted: Sequence[int], verified: Mapping[int, str]) -> Iterator[Row]:
        """Yield the rows of a part without the songs of the omitted ordinals.

        `verified` contains the currently verified genres by track ID.
        """
        without = {ordinal - part.first_ordinal for ordinal in omitted}
        best, confidences = part.best.tolist(), part.confidences.tolist()
        probabilities = part.probabilities.tolist()
        for row, track_id in enumerate(part.track_ids.tolist()):
            if row not in without:
                confidence = confidences[row]
                yield (
                    *(track_id, part.titles[row], self.genres[best[row]], verified.get(track_id)),
                    *(confidence, confidence >= self.min_confidence, *probabilities[row]),
                    *(self.model_version, self.classified_at),
                )


class _Writer(ABC):
    """Encodes rows as a file, part by part."""

    def __init__(self, columns: _Columns) -> None:
        self._columns = columns.names
        self._file = io.BytesIO()

    @abstractmethod
    def _add(self, rows: Iterator[Row]) -> None:
        """Write the rows of a part to the file, now or later."""

    def write(self, rows: Iterator[Row]) -> bytes:
        """Add the rows of a part, and return the bytes that are ready."""
        self._add(rows)
        return self._take()

    def end(self) -> bytes:
        return self._take()

    def _take(self) -> bytes:
        data = self._file.getvalue()
        self._file.seek(0)
        self._file.truncate()
        return data


class _CsvWriter(_Writer):
    """Writes CSV that is safe for spreadsheets."""

    def __init__(self, columns: _Columns) -> None:
        super().__init__(columns)
        text = io.TextIOWrapper(self._file, encoding="utf-8", newline="", write_through=True)
        self._writer = csv.writer(text, lineterminator="\n")
        self._writer.writerow(map(_spreadsheet_safe, self._columns))

    def _add(self, rows: Iterator[Row]) -> None:
        self._writer.writerows(map(self._cells, rows))

    def _cells(self, row: Row) -> list[Any]:
        track_id, title, genre, verified, confidence, confident, *probabilities, version, moment = row
        safe = _spreadsheet_safe
        return [
            *(track_id, safe(title), safe(genre), safe(verified or ""), confidence),
            *("true" if confident else "false", *probabilities, version, moment.isoformat()),
        ]


class _JsonLinesWriter(_Writer):
    """Writes one JSON object per line."""

    def _add(self, rows: Iterator[Row]) -> None:
        for *values, moment in rows:
            line = dict(zip(self._columns, (*values, moment.isoformat()), strict=True))
            self._file.write(json.dumps(line).encode() + b"\n")


class _ParquetWriter(_Writer):
    """Writes Parquet, with several parts per row group."""

    def __init__(self, columns: _Columns) -> None:
        import pyarrow as pa  # noqa: PLC0415 - slow to import, and not needed at startup
        from pyarrow import parquet  # noqa: PLC0415

        super().__init__(columns)
        types = (pa.int64(), *(pa.string(),) * 3, pa.float64(), pa.bool_())
        probabilities = (pa.float64(),) * len(columns.genres)
        last = (pa.string(), pa.timestamp("us", tz="UTC"))
        fields = zip(self._columns, (*types, *probabilities, *last), strict=True)
        self._table = pa.table
        self._schema = pa.schema(list(fields))
        self._writer = parquet.ParquetWriter(pa.PythonFile(self._file, mode="w"), self._schema)
        self._rows: list[Row] = []
        self._parts = 0

    def _add(self, rows: Iterator[Row]) -> None:
        self._rows += rows
        self._parts += 1
        if self._parts % _PARTS_PER_ROW_GROUP == 0:
            self._write_row_group()

    def end(self) -> bytes:
        self._write_row_group()
        self._writer.close()
        return super().end()

    def _write_row_group(self) -> None:
        if self._rows:
            columns = [list(values) for values in zip(*self._rows, strict=True)]
            self._writer.write_table(self._table(columns, schema=self._schema))
            self._rows = []


def _spreadsheet_safe(text: str) -> str:
    """Return a text that spreadsheets do not run as a formula, with an apostrophe in front if needed."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


_FORMATS: Final[dict[str, tuple[str, type[_Writer]]]] = {
    "csv": ("text/csv; charset=utf-8", _CsvWriter),
    "jsonl": ("application/jsonl", _JsonLinesWriter),
    "parquet": ("application/vnd.apache.parquet", _ParquetWriter),
}


def batch_songs_routes(batches: Batches, catalogue: Catalogue) -> list[Route]:
    """Return the routes; `id` is `Batch.id` or the UUID in it."""

    def route(extension: str) -> Route:
        media_type, writer = _FORMATS[extension]

        async def download(request: Request) -> Response:
            try:
                batch = await _batch(request.path_params["id"], batches, request.state.caller)
                manifests = await catalogue.manifests_by_versions([batch.model_version])
                columns = _Columns(
                    genres=manifests[batch.model_version]["genres"],
                    min_confidence=batch.min_confidence,
                    model_version=batch.model_version,
                    classified_at=batch.finished_at or batch.created_at,
                )
                data = _encoded(batches.results(batch), catalogue, writer, columns)
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


async def _encoded(
    parts: AsyncIterator[tuple[SongPart, Sequence[int]]],
    catalogue: Catalogue,
    make_writer: Callable[[_Columns], _Writer],
    columns: _Columns,
) -> AsyncGenerator[bytes, None]:
    writer = await anyio.to_thread.run_sync(make_writer, columns)
    async for part, omitted in parts:
        verified = await catalogue.verified_genres(part.track_ids.tolist())
        if data := await anyio.to_thread.run_sync(writer.write, columns.rows(part, omitted, verified)):
            yield data
    yield await anyio.to_thread.run_sync(writer.end)


async def _all_of(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    async with aclosing(rest):
        yield first
        async for data in rest:
            yield data
