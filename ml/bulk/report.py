"""Findings in the files of a run, and the summary of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from ml.model.drift import FeatureGroup, by_group
from ml.songs.contract import IntArray
from ml.songs.problems import SongFileReport


@dataclass(slots=True)
class Findings:
    """Findings in a part of a file, a file, or all files of a run.

    Attributes:
        report: rows and problems; lines are row numbers in a Parquet file.
        songs_outside: songs outside the training ranges (`ml.model.drift`); shape (groups,).
        unreadable: whether a file is not a song file, because of the first problem of the report.
    """

    report: SongFileReport = field(default_factory=SongFileReport)
    songs_outside: IntArray = field(default_factory=lambda: np.zeros(len(FeatureGroup), np.int64))
    unreadable: bool = False

    def add(self, later: Findings, where: str = "") -> None:
        """Add later findings, with a prefix for their messages."""
        problems = [replace(problem, message=where + problem.message) for problem in later.report.problems]
        self.report.extend(replace(later.report, problems=problems), unreadable=later.unreadable)
        self.songs_outside = self.songs_outside + later.songs_outside
        self.unreadable |= later.unreadable

    def counts(self) -> dict[str, Any]:
        """Return the counts for JSON."""
        return {
            "rows": self.report.rows,
            "rowsWithMissingValues": self.report.rows_with_missing_values,
            "rowsClassifiedWithMissingValues": self.report.rows_with_missing_values_classified,
            "rowsInvalid": self.report.rows_invalid,
            "songsOutsideTrainingRange": by_group(self.songs_outside),
        }

    def problems(self) -> dict[str, Any]:
        """Return the problems for JSON."""
        problems = [asdict(problem) | {"kind": problem.kind.value} for problem in self.report.problems]
        return {"problemCount": self.report.problem_count, "problems": problems}


@dataclass(frozen=True, slots=True)
class BulkSummary:
    """The summary of a run.

    Attributes:
        findings: the findings in all files.
        by_file: the findings in each file, by `InputFile.shown`.
        refused: whether nothing was written because of the findings.
        rows_duplicated: rows superseded by a later one with the same track ID.
        rows_uncertain: songs below the minimum confidence.
        genre_counts: songs per genre, by name.
    """

    model_version: str
    findings: Findings
    by_file: Mapping[str, Findings]
    refused: bool = False
    rows_duplicated: int = 0
    rows_uncertain: int = 0
    genre_counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows_classified(self) -> int:
        """The number of songs written, each track ID once."""
        return sum(self.genre_counts.values())

    def counts(self) -> dict[str, Any]:
        """Return the counts for JSON."""
        return {
            **self.findings.counts(),
            "rowsDuplicated": self.rows_duplicated,
            "rowsClassified": self.rows_classified,
            "rowsUncertain": self.rows_uncertain,
            "genres": self.genre_counts,
        }

    def to_json(self) -> dict[str, Any]:
        """Return the report: counts, and the findings in each file."""
        files = [{"file": file, **one.counts(), **one.problems()} for file, one in self.by_file.items()]
        return {"modelVersion": self.model_version, "refused": self.refused, **self.counts(), "files": files}
