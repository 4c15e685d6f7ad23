"""Classify all parts of all files on a cluster, with a bounded number of tasks at a time."""

# Dask is mostly untyped.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence

from distributed import Client, Future

from ml.bulk.errors import task_errors
from ml.bulk.inputs import InputFile
from ml.bulk.report import Findings
from ml.bulk.tasks import FilePart, Model, PartResult, classify_part
from ml.songs.csv_songs import RANGE_BYTES, CsvRange, csv_ranges
from ml.songs.parquet_songs import find_parquet_ranges
from ml.songs.problems import InvalidSongFileError, OnInvalidRow, OnMissingValue

OnResult = Callable[[PartResult], None]
"""Called with the result of each part."""

_TASKS_PER_THREAD = 3
"""One running, one queued, and one whose result waits for an earlier one."""


class Run:
    """Classifies files on a cluster.

    Results have the order of the input. Only a few parts are processed at a time, so that memory does not
    grow with the input. Dask repeats the tasks of dead workers.

    Attributes:
        model: the model.
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
        """Create the run.

        Args:
            client: the client of the cluster.
            files: the files.
            model: the model.
            on_invalid_row: whether an invalid row refuses the whole run.
            on_missing_value: what to do with rows with missing values.
            keeps_features: whether results include the features of the songs.
            range_bytes: approximate size of the parts of a CSV file.
        """
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
            BulkError: a file or the model cannot be used.
            ClusterError: the cluster was lost.
        """
        limit = _TASKS_PER_THREAD * max(1, sum(self._client.nthreads().values()))
        under_way: deque[Future[PartResult]] = deque()
        try:
            for part in self._parts():
                options = (self._on_missing_value, self._keeps_features, self.refused)
                future = self._client.submit(classify_part, part, self.model, *options, pure=False)
                under_way.append(future)
                if len(under_way) == limit:
                    yield self._result_of(under_way.popleft())
            while under_way:
                yield self._result_of(under_way.popleft())
        finally:
            if under_way:
                self._client.cancel(list(under_way), force=True)

    def _result_of(self, future: Future[PartResult]) -> PartResult:
        with task_errors():
            result = future.result()
        self._note(result.part.file, result.findings)
        return result

    def _note(self, file: InputFile, found: Findings) -> None:
        self.by_file[file.shown].add(found)
        self.findings.add(found, f"{file.name}: " if len(self._files) > 1 else "")

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
                        self._note(file, Findings(error.report, unreadable=True))
                        continue
                    rows = ranges[-1].stop
                    yield from (FilePart(file, file.size * len(part) // rows, part) for part in ranges)
                    continue
                for piece in csv_ranges(opened, file.name, self._on_missing_value, self._range_bytes):
                    yield FilePart(file, piece.size or file.size - piece.start.offset, piece)
