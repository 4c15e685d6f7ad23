"""Classify all parts of all files on Dask, with a bounded number of tasks at a time.

All use of Dask is here: the cluster, the tasks, and its errors.
"""

# Dask is mostly untyped.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from distributed import Client, Future, LocalCluster
from distributed.client import FutureCancelledError
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from ml.bulk.inputs import RANGE_BYTES, CsvRange, InputFile, csv_ranges
from ml.bulk.report import Findings
from ml.errors import UnreachableError, UserError
from ml.model.artifact import ArtifactError, load_ensemble
from ml.model.ensemble import Ensemble
from ml.songs.contract import Float64Array, IntArray, Songs
from ml.songs.csv_songs import SongFile
from ml.songs.parquet_songs import ParquetSongs, find_parquet_ranges
from ml.songs.problems import InvalidSongFileError, OnInvalidRow, OnMissingValue

CONNECT_SECONDS = 15
"""How long a scheduler may take to respond, and then to have a worker."""

_TASKS_PER_THREAD = 3
"""One running, one queued, and one whose result waits for an earlier one."""


@contextmanager
def local_cluster(workers: int) -> Iterator[Client]:
    """Run worker processes with one thread each on this machine; yield their client."""
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,  # parsing holds the GIL
            processes=True,
            protocol="tcp",
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # None would still use port 8787, and warn if it is in use
            worker_dashboard_address=None,
            silence_logs=logging.CRITICAL,  # busy workers log late heartbeats
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def scheduler_at(address: str) -> Iterator[Client]:
    """Yield a client of the Dask scheduler at `tcp://host:port`, or at another address that Dask supports.

    Raises:
        UnreachableError: it does not respond, or has no workers.
    """
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = str(error).strip() or "no answer"
        raise UnreachableError(f"cannot reach the Dask scheduler {address}: {reason}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError as error:
            raise UnreachableError(f"the Dask scheduler {address} has no workers") from error
        yield client


@dataclass(frozen=True, slots=True)
class Model:
    """A model: a folder that workers can read, and the version that it must contain."""

    folder: str
    version: str

    def load(self) -> Ensemble:
        """Return the model, loaded once in each process.

        Raises:
            UserError: it is unusable here, or has another version.
        """
        return _load(self)


@lru_cache(maxsize=1)
def _load(model: Model) -> Ensemble:
    try:
        ensemble = load_ensemble(Path(model.folder))
    except ArtifactError as error:
        raise UserError(f"a worker cannot use the model: {error}") from error
    version = ensemble.manifest.model_version
    if version != model.version:
        raise UserError(f"a worker found model {version} in {model.folder}, not {model.version}")
    return ensemble


@dataclass(frozen=True, slots=True)
class FilePart:
    """Some rows of an input file, and their approximate size in bytes."""

    file: InputFile
    size: int
    rows: CsvRange | range


@dataclass(frozen=True, slots=True)
class PartResult:
    """The result of a part with n classified songs, in file order.

    Attributes:
        track_ids: shape (n,).
        titles: n titles.
        probabilities: shape (n, genres), in the order of the model's genres.
        songs: the songs with their features; None unless they are kept.
    """

    part: FilePart
    findings: Findings
    track_ids: IntArray
    titles: list[str]
    probabilities: Float64Array
    songs: Songs | None = None


OnResult = Callable[[PartResult], None]
"""Called with the result of each part."""


def classify_part(
    part: FilePart, model: Model, on_missing_value: OnMissingValue, keeps_features: bool, check_only: bool
) -> PartResult:
    """Read, check and classify a part, on a worker; with `check_only`, classify nothing.

    Raises:
        UserError: the file is unreadable or has changed, or the model is unusable.
    """
    ensemble = model.load()
    findings = Findings()
    chunks, titles, track_ids = list[Songs](), list[str](), [np.zeros(0, np.int64)]
    probabilities = [np.zeros((0, len(ensemble.genres)))]
    with part.file.open() as opened:
        try:
            reader: SongFile | ParquetSongs
            if isinstance(part.rows, range):
                reader = ParquetSongs(opened, part.rows, on_missing_value=on_missing_value)
            else:
                reader = part.rows.read(opened, part.file.name, on_missing_value)
            findings.report = reader.report
            for songs in reader.chunks():
                if not check_only:
                    prediction = ensemble.classify(songs)
                    findings.songs_outside = findings.songs_outside + prediction.songs_outside
                    track_ids.append(songs.track_ids)
                    titles += songs.titles
                    probabilities.append(prediction.probabilities)
                    if keeps_features:
                        chunks.append(songs)
        except InvalidSongFileError:
            findings.unreadable = True
        except EOFError:
            raise UserError(f"{part.file.shown} changed while it was read") from None
        except OSError as error:
            raise UserError(f"{part.file.shown} cannot be read: {error}") from error
    kept = Songs.concatenated(chunks) if chunks else None
    return PartResult(part, findings, np.concatenate(track_ids), titles, np.concatenate(probabilities), kept)


class Run:
    """Classifies files on a cluster.

    Results have the order of the input. Only a few parts are processed at a time, so that memory does not
    grow with the input. Dask repeats the tasks of dead workers.

    Attributes:
        findings: the findings so far in all files.
        by_file: the findings in each file, by `InputFile.shown`.
    """

    def __init__(  # noqa: PLR0913 - options, by keyword
        self,
        client: Client,
        files: Sequence[InputFile],
        model: Model,
        *,
        on_invalid_row: OnInvalidRow = OnInvalidRow.REJECT_FILE,
        on_missing_value: OnMissingValue = OnMissingValue.SKIP_ROW,
        keeps_features: bool = False,
        range_bytes: int = RANGE_BYTES,
    ) -> None:
        """Create the run; with `REJECT_FILE`, an invalid row in any file refuses the whole run."""
        self.model = model
        self.findings = Findings()
        self.by_file = {file.shown: Findings() for file in files}
        self._client = client
        self._files = files
        self._reject = on_invalid_row is OnInvalidRow.REJECT_FILE
        self._on_missing_value = on_missing_value
        self._keeps_features = keeps_features
        self._range_bytes = range_bytes

    @property
    def refused(self) -> bool:
        """Whether nothing must be written because of the findings."""
        return self.findings.unreadable or (self._reject and self.findings.report.problem_count > 0)

    def results(self) -> Generator[PartResult, None, None]:
        """Yield the result of each part.

        Once the run is refused, the rest is only checked, so that the findings are complete.

        Raises:
            UserError: a file or the model cannot be used.
            UnreachableError: the cluster was lost.
        """
        limit = _TASKS_PER_THREAD * max(1, sum(self._client.nthreads().values()))
        pending: deque[Future[PartResult]] = deque()
        try:
            for part in self._parts():
                options = (self._on_missing_value, self._keeps_features, self.refused)
                pending.append(self._client.submit(classify_part, part, self.model, *options, pure=False))
                if len(pending) == limit:
                    yield self._result_of(pending.popleft())
            while pending:
                yield self._result_of(pending.popleft())
        finally:
            if pending:
                self._client.cancel(list(pending), force=True)

    def _result_of(self, future: Future[PartResult]) -> PartResult:
        with _task_errors():
            result = future.result()
        self._add(result.part.file, result.findings)
        return result

    def _add(self, file: InputFile, findings: Findings) -> None:
        self.by_file[file.shown].add(findings)
        self.findings.add(findings, f"{file.name}: " if len(self._files) > 1 else "")

    def _parts(self) -> Iterator[FilePart]:
        """Split the files. Only large CSV files must be read to find where."""
        for file in self._files:
            if not file.is_parquet and file.size <= self._range_bytes:
                yield FilePart(file, file.size, CsvRange())
                continue
            with file.open() as opened:
                if file.is_parquet:
                    try:
                        ranges = find_parquet_ranges(opened, on_missing_value=self._on_missing_value)
                    except InvalidSongFileError as error:
                        self._add(file, Findings(error.report, unreadable=True))
                        continue
                    rows = ranges[-1].stop
                    yield from (FilePart(file, file.size * len(part) // rows, part) for part in ranges)
                    continue
                for piece in csv_ranges(opened, file.name, self._on_missing_value, self._range_bytes):
                    yield FilePart(file, piece.size or file.size - piece.start.offset, piece)


@contextmanager
def _task_errors() -> Iterator[None]:
    """Convert errors of tasks and of Dask to `UserError`."""
    try:
        yield
    except KilledWorker as error:
        message = "workers died repeatedly on the same task; they may have too little memory"
        raise UserError(message) from error
    except (FutureCancelledError, CommClosedError) as error:
        raise UnreachableError("the Dask scheduler was lost") from error
    except ModuleNotFoundError as error:
        raise UserError(f"a worker has no {error.name}; install genregraph[bulk] there, too") from error
    except OSError as error:
        raise UserError(f"a worker failed: {error}") from error
