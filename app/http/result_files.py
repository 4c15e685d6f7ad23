"""Encode the results of a batch as CSV, JSON Lines or Parquet, part by part."""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from app.batches.song_parts import SongPart

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20")
"""Characters that start a formula in spreadsheets, or are skipped before one; includes full-width signs."""

_PARTS_PER_ROW_GROUP = 25


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


class Writer(ABC):
    """Encodes rows as a file, incrementally."""

    @abstractmethod
    def write(self, rows: Iterator[tuple[Any, ...]]) -> bytes:
        """Encode rows and return the bytes that are ready."""

    def end(self) -> bytes:
        """Return the remaining bytes."""
        return b""


class CsvWriter(Writer):
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


class JsonLinesWriter(Writer):
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


class ParquetWriter(Writer):
    """Writes Parquet, with several parts per row group."""

    def __init__(self, columns: ResultColumns) -> None:
        import pyarrow as pa  # noqa: PLC0415 - slow to import, and not needed at startup
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
        return self._sink.taken()

    def end(self) -> bytes:
        """Return the last row group and the footer."""
        self._write_rows()
        self._writer.close()
        return self._sink.taken()

    def _write_rows(self) -> None:
        if self._rows:
            columns = [list(values) for values in zip(*self._rows, strict=True)]
            self._writer.write_table(self._table(columns, schema=self._schema))
            self._rows = []


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


def spreadsheet_safe(text: str) -> str:
    """Return a text that spreadsheets do not run as a formula, with an apostrophe in front if needed."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
