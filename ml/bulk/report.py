"""What was found in the files of a run: for each file and in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.bulk.inputs import InputFile
from ml.drift import FeatureGroup, by_group
from ml.song_file_problems import MAX_PROBLEMS, SongFileReport


@dataclass(slots=True)
class FileFindings:
    """What was found in one file, its parts added in any order.

    Attributes:
        file: the file.
        report: all its parts together; problems are the first 100 of the file.
        unreadable: whether it is no song file.
        songs: how many were classified, also those that lost to a later row.
        songs_outside: how many of them are outside the range of training, see `ml.drift`; shape (groups,).
    """

    file: InputFile
    report: SongFileReport = field(default_factory=SongFileReport)
    unreadable: bool = False
    songs: int = 0
    songs_outside: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(len(FeatureGroup), np.int64)
    )

    def add(self, found: SongFileReport, *, unreadable: bool) -> None:
        """Add what was found in a part; a problem that makes the file unreadable comes first."""
        report = self.report
        report.rows += found.rows
        report.rows_with_missing_values += found.rows_with_missing_values
        report.rows_invalid += found.rows_invalid
        report.problem_count += found.problem_count
        first, rest = (found.problems[:1], found.problems[1:]) if unreadable else ([], found.problems)
        already = report.problems[:1] if self.unreadable else []
        lines = sorted([*report.problems[len(already) :], *rest], key=lambda problem: problem.line or 0)
        report.problems = [*already, *first, *lines][:MAX_PROBLEMS]
        self.unreadable |= unreadable

    def add_songs(self, songs: int, songs_outside: npt.NDArray[np.int64]) -> None:
        """Add the songs of a part, and how many of them are outside the range of training."""
        self.songs += songs
        self.songs_outside = self.songs_outside + songs_outside


class Findings:
    """What was found in all files so far."""

    def __init__(self, files: Sequence[InputFile]) -> None:
        self.files = [FileFindings(file) for file in files]

    @property
    def rows(self) -> int:
        """Data rows read."""
        return sum(found.report.rows for found in self.files)

    @property
    def rows_with_missing_values(self) -> int:
        """Rows left out because a cell holds no value."""
        return sum(found.report.rows_with_missing_values for found in self.files)

    @property
    def rows_invalid(self) -> int:
        """Rows with at least one problem."""
        return sum(found.report.rows_invalid for found in self.files)

    @property
    def problem_count(self) -> int:
        """All problems, also those not kept."""
        return sum(found.report.problem_count for found in self.files)

    @property
    def songs(self) -> int:
        """Songs classified, also those that lost to a later row."""
        return sum(found.songs for found in self.files)

    @property
    def songs_outside(self) -> dict[str, int]:
        """How many of the songs are outside the range of training, by group of features."""
        return by_group(np.sum([found.songs_outside for found in self.files], axis=0))

    @property
    def unreadable(self) -> bool:
        """Whether a file is no song file."""
        return any(found.unreadable for found in self.files)

    def together(self) -> SongFileReport:
        """Return one report of all files, with the first 100 problems and where they are."""
        report = SongFileReport(
            self.rows, self.rows_with_missing_values, self.rows_invalid, self.problem_count
        )
        for found in self.files:
            for problem in found.report.problems[: MAX_PROBLEMS - len(report.problems)]:
                message = f"{found.file.name}: {problem.message}" if len(self.files) > 1 else problem.message
                report.problems.append(replace(problem, message=message))
        return report

    def to_json(self) -> list[dict[str, Any]]:
        """Return what was found in each file, for JSON; of a Parquet file, lines are row numbers."""
        return [
            {
                "file": found.file.shown,
                "rows": found.report.rows,
                "rowsWithMissingValues": found.report.rows_with_missing_values,
                "rowsInvalid": found.report.rows_invalid,
                "songsOutsideTrainingRange": by_group(found.songs_outside),
                "problemCount": found.report.problem_count,
                "problems": [
                    {
                        "kind": problem.kind.value,
                        "line": problem.line,
                        "column": problem.column,
                        "value": problem.value,
                        "message": problem.message,
                    }
                    for problem in found.report.problems
                ],
            }
            for found in self.files
        ]
