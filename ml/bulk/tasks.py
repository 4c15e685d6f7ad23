"""What workers do. Everything here is sent by name and gets plain data, so that a lost task can run anew."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ml.artifact import ArtifactError, load_ensemble
from ml.bulk.csv_ranges import (
    DEFAULT_LIMITS,
    CsvCursor,
    CsvLimits,
    CsvRange,
    find_csv_ranges,
    song_file_of_range,
)
from ml.bulk.errors import BulkError
from ml.bulk.inputs import InputFile
from ml.bulk.parquet_songs import RANGE_ROWS, ParquetRange, ParquetSongs, find_parquet_ranges
from ml.bulk.staged_songs import merge_staged, output_schema, staged_table, write_staged
from ml.drift import FeatureGroup
from ml.ensemble import Ensemble
from ml.song_file import InvalidSongFileError, OnInvalidRow, SongFile, SongFileReport
from ml.song_file_problems import SongFileProblem, SongFileProblemKind

ROW_BITS = 40
"""An ordinal is the file's number and, in this many bits, the song's place: it grows in input order."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large tasks and output parts are.

    Attributes:
        csv: of the ranges of a CSV.
        parquet_rows: rows of a range of a Parquet file, at least.
        part_rows: songs of an output part, about.
    """

    csv: CsvLimits = DEFAULT_LIMITS
    parquet_rows: int = RANGE_ROWS
    part_rows: int = 100_000


@dataclass(frozen=True, slots=True)
class Model:
    """Which model classifies: a folder that workers reach too, and the version that has to be in it."""

    folder: str
    version: str


@dataclass(frozen=True, slots=True)
class Job:
    """What is the same for all parts of a run.

    Attributes:
        model: that decides.
        min_confidence: songs of lower confidence are uncertain.
        stage: URL of a folder that workers write classified songs to; None if they return them.
    """

    model: Model
    min_confidence: float = 0.0
    stage: str | None = None


@dataclass(frozen=True, slots=True)
class FilePart:
    """A part of an input file: the whole of a CSV, a range of one, or a range of a Parquet file.

    Attributes:
        file: the file.
        size: its share of the file's bytes.
        rows: which; None for a whole CSV.
        header: the names of the columns, for a range of a CSV.
    """

    file: InputFile
    size: int
    rows: CsvRange | ParquetRange | None = None
    header: tuple[str, ...] = ()

    @property
    def ordinal(self) -> int:
        """The ordinal of its first song."""
        return (self.file.number << ROW_BITS) + (self.rows.rows_before if self.rows else 0)


@dataclass(frozen=True, slots=True)
class FilePlan:
    """Some of the parts of a file.

    Attributes:
        file: the file.
        parts: in order.
        rest: where to plan on; None if these are all.
        report: problems that make the file unreadable; no rows are counted in it.
    """

    file: InputFile
    parts: list[FilePart]
    rest: CsvCursor | None
    report: SongFileReport


@dataclass(frozen=True, slots=True)
class Classified:
    """Classified songs, column by column.

    Attributes:
        track_ids: shape (n,).
        titles: n titles.
        probabilities: shape (n, genres), in the order of the model's genres.
        songs_outside: how many songs are outside the range of training, see `ml.drift`; shape (groups,).
    """

    track_ids: npt.NDArray[np.int64]
    titles: list[str]
    probabilities: npt.NDArray[np.float64]
    songs_outside: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PartResult:
    """What became of a part.

    Attributes:
        part: the part.
        report: what was found in it.
        unreadable: whether the file is no song file, whatever is to be done about wrong rows.
        songs: how many songs were classified.
        track_ids: of these, shape (songs,), in the order of the file.
        songs_outside: how many of them are outside the range of training, see `ml.drift`; shape (groups,).
        classified: the songs, if there is no stage.
        staged: name of the file in the stage that holds them, if there is a stage and there are songs.
    """

    part: FilePart
    report: SongFileReport
    unreadable: bool
    songs: int
    track_ids: npt.NDArray[np.int64]
    songs_outside: npt.NDArray[np.int64]
    classified: Classified | None = None
    staged: str | None = None


@dataclass(frozen=True, slots=True)
class OutputPart:
    """A part of the output: its name, songs of each genre, and how many of them are uncertain."""

    name: str
    genre_counts: dict[str, int]
    uncertain: int


def whole_part(file: InputFile, limits: Limits) -> FilePart | None:
    """Return a file as one part, if it is a CSV that is small enough."""
    small = file.is_csv and file.size <= limits.csv.range_bytes
    return FilePart(file, file.size) if small else None


def plan_file(file: InputFile, cursor: CsvCursor | None, limits: Limits) -> FilePlan:
    """Cut a file, or the next stretch of a large CSV, into parts.

    Args:
        file: the file.
        cursor: where an earlier plan of it ended.
        limits: how large parts are.

    Raises:
        BulkError: it cannot be opened here.
    """
    report = SongFileReport()
    if not (file.is_csv or file.is_parquet):
        message = f"A song file's name has to end in .csv or .parquet, this one is {file.name!r}."
        report.add(SongFileProblem(SongFileProblemKind.FILE_NAME, message, value=file.name))
        return FilePlan(file, [], None, report)
    if not file.size:
        report.add(SongFileProblem(SongFileProblemKind.EMPTY_FILE, "The file is empty."))
        return FilePlan(file, [], None, report)
    try:
        with _opened(file) as opened:
            if file.is_parquet:
                ranges = find_parquet_ranges(opened, limits.parquet_rows)
                rows = sum(found.rows for found in ranges)
                parts = [FilePart(file, file.size * found.rows // rows, found) for found in ranges]
                return FilePlan(file, parts, None, report)
            found = find_csv_ranges(opened, file.name, cursor, limits.csv)
    except InvalidSongFileError as error:
        return FilePlan(file, [], None, replace(error.report, rows=0))
    if found.problem is not None:
        report.add(found.problem)
    parts = [FilePart(file, piece.length, piece, found.header) for piece in found.ranges]
    return FilePlan(file, parts, found.rest, report)


def classify_part(part: FilePart, job: Job, check_only: bool) -> PartResult:
    """Read and check a part, and classify its songs.

    Args:
        part: which part.
        job: what is the same for all parts.
        check_only: look for problems only: nothing of this run will be written.

    Raises:
        BulkError: the file cannot be opened here, has changed, or the model is not the one asked for.
    """
    ensemble = _ensemble(job.model)
    reader: SongFile | ParquetSongs
    answers: list[Classified] = []
    unreadable = False
    with _opened(part.file) as opened:
        if isinstance(part.rows, ParquetRange):
            reader = ParquetSongs(opened, part.rows)
        elif part.rows is None:
            reader = SongFile(opened, name=part.file.name, on_invalid_row=OnInvalidRow.SKIP_ROW)
        else:
            opened.seek(part.rows.position.offset)
            data = opened.read(part.rows.length)
            if len(data) != part.rows.length:
                raise BulkError(f"{part.file.shown} has changed while it was read")
            reader = song_file_of_range(data, part.file.name, part.header, part.rows.position)
        try:
            for songs in reader.chunks():
                if check_only:
                    continue
                said = ensemble.classify(songs)
                answers.append(
                    Classified(songs.track_ids, list(songs.titles), said.probabilities, said.songs_outside)
                )
        except InvalidSongFileError:
            unreadable = True
        except OSError as error:
            raise BulkError(f"{part.file.shown} cannot be read: {error}") from error
    if unreadable or not answers:
        nothing = np.zeros(0, np.int64)
        return PartResult(part, reader.report, unreadable, 0, nothing, np.zeros(len(FeatureGroup), np.int64))
    classified = Classified(
        np.concatenate([answer.track_ids for answer in answers]),
        [title for answer in answers for title in answer.titles],
        np.concatenate([answer.probabilities for answer in answers]),
        np.sum([answer.songs_outside for answer in answers], axis=0),
    )
    result = PartResult(
        part,
        reader.report,
        False,
        len(classified.track_ids),
        classified.track_ids,
        classified.songs_outside,
    )
    if job.stage is None:
        return replace(result, classified=classified)
    name = f"{part.ordinal:020d}.parquet"
    table = staged_table(
        classified.track_ids,
        classified.titles,
        classified.probabilities,
        ensemble.genres,
        min_confidence=job.min_confidence,
        model_version=job.model.version,
    )
    write_staged(job.stage, name, table)
    return replace(result, staged=name)


def assemble_part(
    name: str, staged: list[tuple[str, npt.NDArray[np.int64]]], job: Job, folder: str
) -> OutputPart:
    """Put staged songs together to a part of the output, without those that lost to a later row.

    Args:
        name: of the part.
        staged: files of the stage, each with the places of its songs that lost.
        job: the job, with a stage.
        folder: URL of the folder to write to.
    """
    assert job.stage is not None
    genres: Counter[str] = Counter()
    uncertain = 0
    schema = output_schema(_ensemble(job.model).genres)
    for counts, doubtful in merge_staged(job.stage, staged, folder, name, schema):
        genres.update(counts)
        uncertain += doubtful
    return OutputPart(name, dict(genres), uncertain)


@lru_cache(maxsize=1)
def _ensemble(model: Model) -> Ensemble:
    """Load the model, once in each worker."""
    try:
        ensemble = load_ensemble(Path(model.folder))
    except ArtifactError as error:
        raise BulkError(f"a worker cannot use the model: {error}") from error
    found = ensemble.manifest.model_version
    if found != model.version:
        raise BulkError(f"a worker finds model {found} in {model.folder}, not {model.version}")
    return ensemble


def _opened(file: InputFile) -> BinaryIO:
    try:
        return file.open()
    except OSError as error:
        reason = error.strerror or error
        raise BulkError(f"{file.shown} cannot be opened by a worker: {reason}") from error
