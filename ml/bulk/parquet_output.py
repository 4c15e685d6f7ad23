"""Write a folder of Parquet files, completely or not at all.

    part-00000.parquet …   songs in input order, each track ID once
    _SUCCESS               JSON: format, counts, parts; written last

During the run, all files are in a subfolder `_temporary-…`; readers of Parquet folders ignore names that
start with `_`. The output is complete once `_SUCCESS` exists.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from fnmatch import fnmatch
from typing import Any, BinaryIO
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ml.bulk.inputs import filesystem_of
from ml.bulk.report import BulkSummary
from ml.bulk.run import OnResult, Run
from ml.errors import UsageError, UserError
from ml.songs.contract import BoolArray, IntArray, superseded_rows

PART_ROWS = 100_000
"""Approximate number of songs per output file."""

_SUCCESS = "_SUCCESS"

_OUTPUT_NAMES = (_SUCCESS, "part-*.parquet", "_temporary-*")


class ParquetOutput:
    """A folder for classified songs, on any file system that fsspec supports."""

    def __init__(self, url: str, *, overwrite: bool = False) -> None:
        """Check the folder, which need not exist, without writing anything.

        With `overwrite`, an earlier output is replaced once the new one is complete.

        Raises:
            UsageError: it contains something that must not be replaced.
        """
        self.filesystem, path = filesystem_of(url)
        self._path = path.rstrip("/")
        self._shown = url
        self._scratch = f"_temporary-{uuid4().hex}"
        self._existed = False
        try:
            self._check(overwrite)
        except OSError as error:
            raise UsageError(f"{url}: cannot be listed: {error.strerror or error}") from error

    def _check(self, overwrite: bool) -> None:
        if not self.filesystem.exists(self._path):
            return
        if not self.filesystem.isdir(self._path):
            raise UsageError(f"{self._shown}: is a file; name a folder for the output")
        self._existed = True
        names = self._names()
        if names and not overwrite:
            raise UsageError(f"{self._shown}: is not empty; name another folder, or use --overwrite")
        others = [name for name in names if not any(fnmatch(name, pattern) for pattern in _OUTPUT_NAMES)]
        if others:
            raise UsageError(
                f"{self._shown}: contains {others[0]}, not part of an earlier output; name another folder"
            )

    def _names(self) -> list[str]:
        paths = self.filesystem.ls(self._path, detail=False, refresh=True)
        return sorted(path.rstrip("/").rpartition("/")[2] for path in paths)

    @contextmanager
    def scratch(self) -> Iterator[str]:
        """Yield the path of a temporary folder for parts; an earlier output is kept.

        Raises:
            UserError: the output cannot be written.
        """
        path = f"{self._path}/{self._scratch}"
        try:
            self.filesystem.makedirs(path, exist_ok=True)
            try:
                yield path
            finally:
                self.filesystem.rm(path, recursive=True)
                if not self._existed and not self._names():
                    self.filesystem.rm(self._path, recursive=True)
        except OSError as error:
            raise UserError(f"{self._shown}: cannot be written: {error.strerror or error}") from error

    def publish(self, names: Sequence[str], manifest: dict[str, Any]) -> None:
        """Replace an earlier output with the parts in the temporary folder, and mark it as complete."""
        for name in self._names():
            # `_SUCCESS` is deleted first, so that an interruption leaves an incomplete output.
            if name != self._scratch:
                self.filesystem.rm(f"{self._path}/{name}", recursive=True)
        document = json.dumps(manifest, ensure_ascii=False, indent=2).encode() + b"\n"
        self.filesystem.pipe_file(f"{self._path}/{self._scratch}/{_SUCCESS}", document)
        for name in (*names, _SUCCESS):
            self.filesystem.mv(f"{self._path}/{self._scratch}/{name}", f"{self._path}/{name}")


def classify_to_parquet(
    output: ParquetOutput,
    min_confidence: float,
    run: Run,
    progress: OnResult = lambda _: None,
    *,
    part_rows: int = PART_ROWS,
) -> BulkSummary:
    """Write the songs of a run to a folder; the last row with a track ID wins.

    Songs below `min_confidence` are uncertain. If the run is refused, nothing is written.

    Raises:
        UserError: the run failed; nothing was written.
    """
    started = datetime.now(UTC)
    version = run.model.version
    with output.scratch() as folder:
        songs = f"{folder}/songs"
        with output.filesystem.open(songs, "wb") as file:
            track_ids = _write_songs(run, file, min_confidence, started, progress)
        if run.refused:
            return BulkSummary(version, run.findings, run.by_file, refused=True)
        superseded = superseded_rows(track_ids)
        with output.filesystem.open(songs, "rb") as file:
            parts, genres, uncertain = _write_parts(output.filesystem, folder, file, superseded, part_rows)
        summary = BulkSummary(
            version,
            run.findings,
            run.by_file,
            rows_duplicated=int(superseded.sum()),
            rows_uncertain=uncertain,
            genre_counts=dict(sorted(genres.items())),
        )
        manifest = {
            "format": "genregraph-bulk-1",
            "modelVersion": version,
            "startedAt": started.isoformat(),
            "finishedAt": datetime.now(UTC).isoformat(),
            "inputs": list(run.by_file),
            "parts": [{"name": name, "songs": count} for name, count in parts.items()],
            **summary.counts(),
        }
        output.publish(list(parts), manifest)
    return summary


def _write_songs(
    run: Run, file: BinaryIO, min_confidence: float, classified_at: datetime, progress: OnResult
) -> IntArray:
    """Write all songs of a run in order, including repeated ones, and return their track IDs."""
    genres = run.model.load().genres
    schema = _schema(genres)
    moment = pa.scalar(classified_at, schema.field("classifiedAt").type)
    track_ids = [np.zeros(0, np.int64)]
    with pq.ParquetWriter(file, schema) as writer, closing(run.results()) as results:
        for result in results:
            best = result.probabilities.argmax(axis=1)
            confidences = result.probabilities[np.arange(len(best)), best]
            columns = [
                pa.array(result.track_ids),
                pa.array(result.titles, pa.string()),
                pa.array(np.array(genres, object)[best], pa.string()),
                pa.array(confidences),
                pa.array(confidences >= min_confidence),
                *map(pa.array, result.probabilities.T.copy()),
                pa.repeat(run.model.version, len(best)),
                pa.repeat(moment, len(best)),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            track_ids.append(result.track_ids)
            progress(result)
    return np.concatenate(track_ids)


def _schema(genres: Sequence[str]) -> pa.Schema:
    """Return the columns of a batch's `songs.parquet`, without verified genres."""
    first = {"trackID": pa.int64(), "title": pa.string(), "genre": pa.string()}
    confidence = {"confidence": pa.float64(), "confident": pa.bool_()}
    probabilities = {f"probability_{genre}": pa.float64() for genre in genres}
    last = {"modelVersion": pa.string(), "classifiedAt": pa.timestamp("us", tz="UTC")}
    return pa.schema([*(first | confidence | probabilities | last).items()])


def _write_parts(
    filesystem: Any, folder: str, songs: BinaryIO, superseded: BoolArray, part_rows: int
) -> tuple[dict[str, int], Counter[str], int]:
    """Write songs that are not superseded; return the counts per file, per genre, and of uncertain songs."""
    parts: dict[str, int] = {}
    genres: Counter[str] = Counter()
    uncertain = first = 0
    read = pq.ParquetFile(songs, buffer_size=2**20, pre_buffer=False)
    batches = read.iter_batches(part_rows, use_threads=False) if len(superseded) else [None]
    for batch in batches:  # an output without songs still has a schema
        table = pa.Table.from_batches([batch] if batch is not None else [], read.schema_arrow)
        kept = ~superseded[first : first + len(table)]
        first += len(table)
        table = table.filter(pa.array(kept))
        name = f"part-{len(parts):05d}.parquet"
        pq.write_table(table, f"{folder}/{name}", filesystem=filesystem)
        parts[name] = len(table)
        genres.update(table["genre"].to_pylist())
        uncertain += len(table) - (pc.sum(table["confident"]).as_py() or 0)
    return parts, genres, uncertain
