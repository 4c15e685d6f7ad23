"""`GET /batches/{id}/songs.csv`, `.jsonl` and `.parquet`: download the results of a batch.

`genre` is the batch's prediction; `verifiedGenre` is current at the time of the download.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from app.batches.results import Results, ResultsGoneError
from app.batches.service import Batches
from app.batches.song_parts import SongPart
from app.catalogue.service import Catalogue
from app.database.errors import is_outage
from app.database.tables import BatchRow, BatchStatus
from app.errors import Code
from app.http.graphql_error import graphql_error

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20")
"""Characters that start a formula in spreadsheets, or are skipped before one; includes full-width signs."""

_PARTS_PER_ROW_GROUP = 25

_GONE = "The results of this batch are no longer kept. Its songs are in the catalogue."

Part = tuple[SongPart, Sequence[int]]


@dataclass(frozen=True, slots=True)
class ResultColumns:
    """The columns of a download, and the values that all songs of a batch share."""

    genres: Sequence[str]
    min_confidence: float
    model_version: str
    classified_at: datetime

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return (
            *("trackID", "title", "genre", "verifiedGenre", "confidence", "confident"),
            *(f"probability_{genre}" for genre in self.genres),
            *("modelVersion", "classifiedAt"),
        )

    def rows(
        self, part: SongPart, left_out: Sequence[int], verified: Mapping[int, str]
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a part.

        Args:
            part: the results.
            left_out: ordinals of songs to omit.
            verified: currently verified genres by track id.
        """
        without = {ordinal - part.first_ordinal for ordinal in left_out}
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


class Writer(Protocol):
    """Encodes rows as a file, incrementally."""

    def write(self, rows: Iterator[tuple[Any, ...]]) -> bytes:
        """Encode rows and return the bytes that are ready."""

    def end(self) -> bytes:
        """Return the remaining bytes."""


class CsvWriter:
    """Writes CSV that is safe for spreadsheets."""

    def __init__(self, columns: ResultColumns) -> None:
        self._header: list[Sequence[object]] = [[spreadsheet_safe(name) for name in columns.names]]

    def write(self, rows: Iterator[tuple[Any, ...]]) -> bytes:
        """Return the lines of rows; the first call adds the header."""
        return self._lines([self._cells(row) for row in rows])

    def end(self) -> bytes:
        """Return the header, if nothing was written."""
        return self._lines([])

    def _cells(self, row: tuple[Any, ...]) -> list[object]:
        track_id, title, genre, verified, confidence, confident, *probabilities, version, moment = row
        return [
            *(track_id, spreadsheet_safe(title), spreadsheet_safe(genre), spreadsheet_safe(verified or "")),
            *(confidence, "true" if confident else "false", *probabilities, version, moment.isoformat()),
        ]

    def _lines(self, rows: list[list[object]]) -> bytes:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([*self._header, *rows])
        self._header = []
        return text.getvalue().encode()


class JsonLinesWriter:
    """Writes one JSON object per line."""

    def __init__(self, columns: ResultColumns) -> None:
        self._columns = columns.names

    def write(self, rows: Iterator[tuple[Any, ...]]) -> bytes:
        """Return the lines of rows."""
        columns = self._columns
        return b"".join(
            json.dumps(dict(zip(columns, (*row[:-1], row[-1].isoformat()), strict=True))).encode() + b"\n"
            for row in rows
        )

    def end(self) -> bytes:
        """Return nothing."""
        return b""


class ParquetWriter:
    """Writes Parquet, with several parts per row group."""

    def __init__(self, columns: ResultColumns) -> None:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415

        types = (pa.int64(), *(pa.string(),) * 3, pa.float64(), pa.bool_())
        probabilities = (pa.float64(),) * len(columns.genres)
        last = (pa.string(), pa.timestamp("us", tz="UTC"))
        fields = zip(columns.names, (*types, *probabilities, *last), strict=True)
        self._table = pa.table
        self._schema = pa.schema(list(fields))
        self._sink = _Sink()
        self._writer = parquet.ParquetWriter(pa.PythonFile(self._sink), self._schema)
        self._rows: list[tuple[Any, ...]] = []
        self._parts = 0

    def write(self, rows: Iterator[tuple[Any, ...]]) -> bytes:
        """Return the bytes of completed row groups, often none."""
        self._rows += rows
        self._parts += 1
        if self._parts % _PARTS_PER_ROW_GROUP == 0:
            self._write_rows()
        return self._written()

    def end(self) -> bytes:
        """Return the last row group and the footer."""
        self._write_rows()
        self._writer.close()
        return self._written()

    def _write_rows(self) -> None:
        if self._rows:
            columns = [list(values) for values in zip(*self._rows, strict=True)]
            self._writer.write_table(self._table(columns, schema=self._schema))
            self._rows = []

    def _written(self) -> bytes:
        return self._sink.taken()


class _Sink(io.RawIOBase):
    """A writable file whose bytes can be taken out at any time."""

    def __init__(self) -> None:
        self._written: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def write(self, data: ReadableBuffer) -> int:
        written = bytes(data)
        self._written.append(written)
        self._size += len(written)
        return len(written)

    def taken(self) -> bytes:
        data = b"".join(self._written)
        self._written = []
        return data


_FORMATS: dict[str, tuple[str, Callable[[ResultColumns], Writer]]] = {
    "csv": ("text/csv; charset=utf-8", CsvWriter),
    "jsonl": ("application/jsonl", JsonLinesWriter),
    "parquet": ("application/vnd.apache.parquet", ParquetWriter),
}


def batch_songs_routes(batches: Batches, results: Results, catalogue: Catalogue) -> list[Route]:
    """Return the routes; `id` is `Batch.id` or the UUID in it."""

    def route(extension: str) -> Route:
        media_type, make_writer = _FORMATS[extension]

        async def download(request: Request) -> Response:
            batch_id = _batch_id(request.path_params["id"])
            try:
                batch = None
                if batch_id is not None:
                    batch = (await batches.by_ids([batch_id], request.state.caller)).get(batch_id)
                refusal = _refusal(batch, extension)
                if batch is None or refusal is not None:
                    return refusal or graphql_error(Code.NOT_FOUND, "The batch does not exist.")
                manifests = await catalogue.manifests_by_versions([batch.model_version])
                columns = ResultColumns(
                    genres=manifests[batch.model_version]["genres"],
                    min_confidence=batch.min_confidence,
                    model_version=batch.model_version,
                    classified_at=batch.finished_at or batch.created_at,
                )
                data = _bytes(results.parts(batch), catalogue, make_writer, columns)
                first = await anext(data)  # an error up to here can still become an error response
            except ResultsGoneError:
                return graphql_error(Code.RESULTS_GONE, _GONE)
            except Exception as error:
                if not is_outage(error):
                    raise
                return graphql_error(Code.UNAVAILABLE)
            return StreamingResponse(
                _all_of(first, data),
                media_type=media_type,
                headers={"content-disposition": content_disposition(batch.file_name, extension)},
            )

        return Route(f"/batches/{{id}}/songs.{extension}", download, methods=["GET"])

    return [route(extension) for extension in _FORMATS]


def spreadsheet_safe(text: str) -> str:
    """Return a text that spreadsheets do not run as a formula, with an apostrophe in front if needed."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def content_disposition(uploaded: str | None, extension: str) -> str:
    """Return the Content-Disposition (RFC 6266) with a file name based on the uploaded file's."""
    stem = PurePath((uploaded or "songs").replace("\\", "/")).stem or "songs"
    name = f"{stem}-genres.{extension}"
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%/;' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _refusal(batch: BatchRow | None, extension: str) -> Response | None:
    if batch is None:
        return graphql_error(Code.NOT_FOUND, "The batch does not exist.")
    if batch.status != BatchStatus.SUCCEEDED:
        message = f"The batch has no songs: it is {batch.status}."
        return graphql_error(Code.BATCH_NOT_SUCCEEDED, message)
    if batch.results_until is None or batch.results_until <= datetime.now(UTC):
        return graphql_error(Code.RESULTS_GONE, _GONE)
    if extension == "parquet" and find_spec("pyarrow") is None:
        message = "Parquet is not available: the server lacks pyarrow. Download songs.csv or songs.jsonl."
        return graphql_error(Code.NOT_IMPLEMENTED, message)
    return None


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


async def _bytes(
    parts: AsyncIterator[Part],
    catalogue: Catalogue,
    make_writer: Callable[[ResultColumns], Writer],
    columns: ResultColumns,
) -> AsyncGenerator[bytes, None]:
    writer = await anyio.to_thread.run_sync(make_writer, columns)
    async for part, left_out in parts:
        verified = await catalogue.verified_genres(part.track_ids.tolist())
        if data := await anyio.to_thread.run_sync(writer.write, columns.rows(part, left_out, verified)):
            yield data
    yield await anyio.to_thread.run_sync(writer.end)


async def _all_of(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    async with aclosing(rest):
        yield first
        async for data in rest:
            yield data
