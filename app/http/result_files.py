"""Encode the results of a batch as CSV, JSON Lines or Parquet, part by part."""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.batches.song_parts import SongPart

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

    def __init__(self, columns: ResultColumns) -> None:
        """Start the file."""
        self._columns = columns.names
        self._file = io.BytesIO()

    @abstractmethod
    def write(self, rows: Iterator[tuple[Any, ...]]) -> None:
        """Add the rows of a part."""

    def end(self) -> None:  # noqa: B027 - most files need no end
        """Complete the file."""

    def taken(self) -> bytes:
        """Return the bytes since the last call, if any are ready."""
        data = self._file.getvalue()
        self._file.seek(0)
        self._file.truncate()
        return data


class CsvWriter(Writer):
    """Writes CSV that is safe for spreadsheets."""

    def __init__(self, columns: ResultColumns) -> None:
        super().__init__(columns)
        text = io.TextIOWrapper(self._file, encoding="utf-8", newline="", write_through=True)
        self._writer = csv.writer(text, lineterminator="\n")
        self._writer.writerow([spreadsheet_safe(name) for name in self._columns])

    def write(self, rows: Iterator[tuple[Any, ...]]) -> None:
        """Add one line per row."""
        self._writer.writerows(map(self._cells, rows))

    def _cells(self, row: tuple[Any, ...]) -> list[object]:
        track_id, title, genre, verified, confidence, confident, *probabilities, version, moment = row
        return [
            *(track_id, spreadsheet_safe(title), spreadsheet_safe(genre), spreadsheet_safe(verified or "")),
            *(confidence, "true" if confident else "false", *probabilities, version, moment.isoformat()),
        ]


class JsonLinesWriter(Writer):
    """Writes one JSON object per line."""

    def write(self, rows: Iterator[tuple[Any, ...]]) -> None:
        """Add one line per row."""
        for *values, moment in rows:
            line = dict(zip(self._columns, (*values, moment.isoformat()), strict=True))
            self._file.write(json.dumps(line).encode() + b"\n")


class ParquetWriter(Writer):
    """Writes Parquet, with several parts per row group."""

    def __init__(self, columns: ResultColumns) -> None:
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
        self._rows: list[tuple[Any, ...]] = []
        self._parts = 0

    def write(self, rows: Iterator[tuple[Any, ...]]) -> None:
        """Keep the rows until their row group is complete."""
        self._rows += rows
        self._parts += 1
        if self._parts % _PARTS_PER_ROW_GROUP == 0:
            self._write_rows()

    def end(self) -> None:
        """Write the last row group and the footer."""
        self._write_rows()
        self._writer.close()

    def _write_rows(self) -> None:
        if self._rows:
            columns = [list(values) for values in zip(*self._rows, strict=True)]
            self._writer.write_table(self._table(columns, schema=self._schema))
            self._rows = []


def spreadsheet_safe(text: str) -> str:
    """Return a text that spreadsheets do not run as a formula, with an apostrophe in front if needed."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
