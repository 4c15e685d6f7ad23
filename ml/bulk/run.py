"""A run: all parts of all files through the workers, with a bounded number of them under way."""

# Dask has few types of its own.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from distributed import Client, Future, as_completed
from distributed.client import FutureCancelledError
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from ml.bulk.csv_ranges import CsvCursor
from ml.bulk.errors import BulkError, ClusterError
from ml.bulk.inputs import InputFile
from ml.bulk.report import Findings
from ml.bulk.tasks import (
    FilePart,
    FilePlan,
    Job,
    Limits,
    OutputPart,
    PartResult,
    classify_part,
    plan_file,
    whole_part,
)
from ml.song_file import OnInvalidRow

DEFAULT_LIMITS = Limits()

_TASKS_PER_THREAD = 2
"""One that is worked on and one that waits; more would only hold memory."""

_PLANNING_FIRST = 10


class Run:
    """Classifies files on a cluster.

    Results come as they are ready; no more than a few are under way or waiting at any time, so that memory
    stays flat however large the input is. Results of workers that die are worked out again by others.

    Attributes:
        findings: what was found in the files so far.
    """

    def __init__(
        self,
        client: Client,
        files: Sequence[InputFile],
        job: Job,
        *,
        on_invalid_row: OnInvalidRow,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """Make the run.

        Args:
            client: of the cluster.
            files: to read.
            job: what to do with their songs.
            on_invalid_row: whether one wrong row makes the run fail.
            limits: sizes of tasks.
        """
        self.findings = Findings(files)
        self._client = client
        self._job = job
        self._reject = on_invalid_row is OnInvalidRow.REJECT_FILE
        self._limits = limits
        self._to_plan: deque[tuple[InputFile, CsvCursor | None]] = deque((file, None) for file in files)
        self._planning = False
        self._parts: deque[FilePart] = deque()

    @property
    def refused(self) -> bool:
        """Whether nothing may be written for what was found."""
        return self.findings.unreadable or (self._reject and self.findings.problem_count > 0)

    def results(self) -> Generator[PartResult, None, None]:
        """Do the work and give out what became of each part, in the order in which they are ready.

        Once something was found for which the run is refused, the rest is only checked, so that the
        findings are complete.

        Raises:
            BulkError: a file or the model cannot be used by a worker.
            ClusterError: the cluster was lost.
        """
        limit = _TASKS_PER_THREAD * max(1, sum(self._client.nthreads().values()))
        under_way = as_completed(loop=self._client.loop)
        running: set[Future[Any]] = set()
        try:
            self._submit(under_way, running, limit)
            for future in under_way:
                running.discard(future)
                done = _result_of(future)
                if isinstance(done, FilePlan):
                    self._planned(done)
                else:
                    found = self.findings.files[done.part.file.number]
                    found.add(done.report, unreadable=done.unreadable)
                    found.add_songs(done.songs, done.songs_outside)
                    yield done
                del future, done
                self._submit(under_way, running, limit)
        finally:
            if running:
                self._client.cancel(list(running), force=True)

    def _submit(self, under_way: as_completed, running: set[Future[Any]], limit: int) -> None:
        self._plan(under_way, running, limit)
        while self._parts and len(running) < limit:
            part = self._parts.popleft()
            future = self._client.submit(classify_part, part, self._job, self.refused, pure=False)
            running.add(future)
            under_way.add(future)

    def _plan(self, under_way: as_completed, running: set[Future[Any]], limit: int) -> None:
        """Have enough parts ready: small files are one, larger ones are planned by a worker each in turn."""
        while self._to_plan and not self._planning and len(self._parts) < limit:
            file, cursor = self._to_plan.popleft()
            part = whole_part(file, self._limits)
            if part is not None and part.size:
                self._parts.append(part)
                continue
            self._planning = True
            future = self._client.submit(
                plan_file, file, cursor, self._limits, pure=False, priority=_PLANNING_FIRST
            )
            running.add(future)
            under_way.add(future)

    def _planned(self, plan: FilePlan) -> None:
        self._planning = False
        self._parts.extend(plan.parts)
        if plan.rest is not None:
            self._to_plan.appendleft((plan.file, plan.rest))
        if plan.report.problem_count:
            self.findings.files[plan.file.number].add(plan.report, unreadable=True)


def run_all(
    client: Client, work: Callable[..., OutputPart], arguments: Iterator[tuple[Any, ...]]
) -> list[OutputPart]:
    """Do some work for each of many arguments, a bounded number at a time; return what it gave, in no order.

    Raises:
        BulkError, ClusterError: see `Run.results`.
    """
    limit = _TASKS_PER_THREAD * max(1, sum(client.nthreads().values()))
    under_way = as_completed(loop=client.loop)
    running: set[Future[Any]] = set()
    results: list[OutputPart] = []

    def submit() -> None:
        while len(running) < limit and (given := next(arguments, None)) is not None:
            future = client.submit(work, *given, pure=False)
            running.add(future)
            under_way.add(future)

    try:
        submit()
        for future in under_way:
            running.discard(future)
            results.append(_result_of(future))
            submit()
    finally:
        if running:
            client.cancel(list(running), force=True)
    return results


def _result_of(future: Future[Any]) -> Any:
    try:
        return future.result()
    except BulkError:
        raise
    except KilledWorker as error:
        raise BulkError(
            "workers died again and again on the same piece of work: perhaps they have too little memory"
        ) from error
    except (FutureCancelledError, CommClosedError) as error:
        raise ClusterError("the Dask scheduler was lost") from error
    except ModuleNotFoundError as error:
        raise BulkError(f"a worker has no {error.name}: install genregraph[bulk] there too") from error
    except OSError as error:
        raise BulkError(f"a worker failed: {error}") from error
