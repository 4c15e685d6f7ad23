"""A folder of Parquet that is whole or not there.

    part-00000.parquet …   songs in the order of the input, each track id once
    _SUCCESS               JSON: what this is, counts, the parts; written last

While the work goes on, everything is in a folder `_temporary-…` inside; readers of Parquet folders pass over
names that start with `_`. Whoever waits for `_SUCCESS` never takes half an output for a whole one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt
from distributed import Client

from ml.bulk.duplicates import LastRows
from ml.bulk.errors import BulkError, BulkUsageError
from ml.bulk.inputs import InputFile, filesystem_of
from ml.bulk.run import DEFAULT_LIMITS, Run, run_all
from ml.bulk.summary import BulkSummary
from ml.bulk.tasks import Job, Limits, Model, OutputPart, PartResult, assemble_part
from ml.song_file import OnInvalidRow

SUCCESS = "_SUCCESS"

_OURS = (SUCCESS, "part-*.parquet", "_temporary-*")

Progress = Callable[[PartResult], None]


class ParquetOutput:
    """Writes classified songs to a folder, local or of any file system that fsspec knows."""

    def __init__(self, url: str, *, overwrite: bool = False) -> None:
        """Look at the folder; nothing is written yet.

        Args:
            url: the folder, or where it is to be.
            overwrite: replace an earlier output there, once the new one is complete.

        Raises:
            BulkUsageError: something is there that must not be replaced.
        """
        self._filesystem, self._path = filesystem_of(url)
        self._path = self._path.rstrip("/")
        self._shown = url
        self.url = str(self._filesystem.unstrip_protocol(self._path))
        self._was_there = False
        try:
            self._check(overwrite)
        except OSError as error:
            raise BulkUsageError(f"{url}: cannot be listed: {error.strerror or error}") from error
        self._scratch = f"_temporary-{uuid4().hex}"

    def _check(self, overwrite: bool) -> None:
        if not self._filesystem.exists(self._path):
            return
        if not self._filesystem.isdir(self._path):
            raise BulkUsageError(f"{self._shown}: is a file; name a folder for the output")
        self._was_there = True
        names = self._names()
        if names and not overwrite:
            raise BulkUsageError(f"{self._shown}: is not empty; name another folder, or say --overwrite")
        others = [name for name in names if not any(fnmatch(name, pattern) for pattern in _OURS)]
        if others:
            raise BulkUsageError(
                f"{self._shown}: holds {others[0]}, which is of no earlier output; name another folder"
            )

    def _names(self) -> list[str]:
        paths = self._filesystem.ls(self._path, detail=False, refresh=True)
        return sorted(path.rstrip("/").rpartition("/")[2] for path in paths)

    @property
    def stage(self) -> str:
        """URL of the folder for what workers put down."""
        return f"{self.url}/{self._scratch}/songs"

    @property
    def parts(self) -> str:
        """URL of the folder for parts that are complete."""
        return f"{self.url}/{self._scratch}/parts"

    def open(self) -> None:
        """Make the folders.

        Raises:
            BulkError: they cannot be made.
        """
        try:
            for folder in ("songs", "parts"):
                self._filesystem.makedirs(f"{self._path}/{self._scratch}/{folder}", exist_ok=True)
        except OSError as error:
            raise BulkError(f"{self._shown}: cannot be written to: {error.strerror or error}") from error

    def finish(self, parts: Sequence[str], manifest: dict[str, Any]) -> None:
        """Put the parts in their place, and say that the output is whole."""
        for name in self._names():
            # Even if this ends halfway, nobody takes what is left for an output: the mark goes first.
            if name != self._scratch:
                self._filesystem.rm(f"{self._path}/{name}", recursive=True)
        for name in parts:
            self._filesystem.mv(f"{self._path}/{self._scratch}/parts/{name}", f"{self._path}/{name}")
        self._remove(self._scratch)
        scratch = f"{self._path}/_temporary-{SUCCESS}"
        with self._filesystem.open(scratch, "wb") as file:
            file.write(json.dumps(manifest, ensure_ascii=False, indent=2).encode() + b"\n")
        self._filesystem.mv(scratch, f"{self._path}/{SUCCESS}")

    def abandon(self) -> None:
        """Take away what was begun; an earlier output stays."""
        self._remove(self._scratch)
        if not self._was_there and self._filesystem.exists(self._path) and not self._names():
            self._filesystem.rm(self._path, recursive=True)

    def _remove(self, name: str) -> None:
        path = f"{self._path}/{name}"
        if self._filesystem.exists(path):
            self._filesystem.rm(path, recursive=True)


@dataclass(frozen=True, slots=True)
class _Staged:
    ordinal: int
    songs: int
    name: str


def classify_to_parquet(  # noqa: PLR0913 - options, by keyword
    client: Client,
    files: Sequence[InputFile],
    output: ParquetOutput,
    model: Model,
    *,
    on_invalid_row: OnInvalidRow = OnInvalidRow.REJECT_FILE,
    min_confidence: float = 0.0,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress = lambda _: None,
) -> BulkSummary:
    """Classify files into a folder of Parquet; of rows with the same track id the last of all input wins.

    Args:
        client: of the cluster.
        files: to read.
        output: where to.
        model: that decides.
        on_invalid_row: whether one wrong row makes the run fail.
        min_confidence: songs of lower confidence are uncertain.
        limits: sizes of tasks and parts.
        progress: is told of each part of the input that was read.

    Returns:
        What was done; if it was refused, nothing was written.

    Raises:
        BulkError: the run failed; nothing was written.
    """
    started = datetime.now(UTC)
    job = Job(model, min_confidence, output.stage)
    run = Run(client, files, job, on_invalid_row=on_invalid_row, limits=limits)
    output.open()
    try:
        with TemporaryDirectory(prefix="genregraph-bulk-") as folder:
            rows = LastRows(Path(folder))
            try:
                staged = _stage(run, rows, progress)
                if run.refused:
                    output.abandon()
                    return BulkSummary(model.version, run.findings, refused=True)
                losers = rows.losers()
            finally:
                rows.close()
        arguments = _assembly(staged, losers, job, output.parts, limits.part_rows)
        parts = sorted(run_all(client, assemble_part, arguments), key=lambda part: part.name)
        summary = _summary(model, run, parts, len(losers))
        output.finish([part.name for part in parts], _manifest(summary, parts, started))
    except BaseException as error:
        output.abandon()
        if isinstance(error, OSError):
            raise BulkError(f"{output.url}: cannot be written: {error.strerror or error}") from error
        raise
    return summary


def _stage(run: Run, rows: LastRows, progress: Progress) -> list[_Staged]:
    staged: list[_Staged] = []
    for result in run.results():
        if result.staged is not None:
            rows.add(result.track_ids, result.part.ordinal)
            staged.append(_Staged(result.part.ordinal, result.songs, result.staged))
        progress(result)
    return sorted(staged, key=lambda part: part.ordinal)


def _assembly(
    staged: Sequence[_Staged], losers: npt.NDArray[np.int64], job: Job, folder: str, part_rows: int
) -> Iterator[tuple[str, list[tuple[str, npt.NDArray[np.int64]]], Job, str]]:
    """Yield the arguments of `assemble_part`; there is always a part, so that readers find the columns."""
    number = songs = 0
    gathered: list[tuple[str, npt.NDArray[np.int64]]] = []
    for part in staged:
        first, last = np.searchsorted(losers, [part.ordinal, part.ordinal + part.songs])
        gathered.append((part.name, losers[first:last] - part.ordinal))
        songs += part.songs
        if songs >= part_rows:
            yield f"part-{number:05d}.parquet", gathered, job, folder
            number, songs, gathered = number + 1, 0, []
    if gathered or not number:
        yield f"part-{number:05d}.parquet", gathered, job, folder


def _summary(model: Model, run: Run, parts: Sequence[OutputPart], duplicated: int) -> BulkSummary:
    genres: Counter[str] = Counter()
    for part in parts:
        genres.update(part.genre_counts)
    return BulkSummary(
        model.version,
        run.findings,
        rows_duplicated=duplicated,
        rows_uncertain=sum(part.uncertain for part in parts),
        genre_counts=dict(sorted(genres.items())),
    )


def _manifest(summary: BulkSummary, parts: Sequence[OutputPart], started: datetime) -> dict[str, Any]:
    return {
        "format": "genregraph-bulk-1",
        "modelVersion": summary.model_version,
        "startedAt": started.isoformat(),
        "finishedAt": datetime.now(UTC).isoformat(),
        "inputs": [found.file.shown for found in summary.findings.files],
        "parts": [{"name": part.name, "songs": sum(part.genre_counts.values())} for part in parts],
        **summary.counts(),
    }
