"""What was found in the files of a run, and what the run came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.model.drift import FeatureGroup, by_group
from ml.songs.problems import SongFileReport


@dataclass(slots=True)
class Findings:
    """What was found in a part of a file, in a file or in all files of a run.

    Attributes:
        report: rows and problems; of a Parquet file, lines are row numbers.
        songs_outside: how many songs are outside the training ranges (`ml.model.drift`); shape (groups,).
        unreadable: whether a file is no song file, for the first problem of the report.
    """

    report: SongFileReport = field(default_factory=SongFileReport)
    songs_outside: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(len(FeatureGroup), np.int64)
    )
    unreadable: bool = False

    def add(self, later: Findings, where: str = "") -> None:
        """Add what was found later, with a text before its messages."""
        problems = [replace(problem, message=where + problem.message) for problem in later.report.problems]
        self.report.extend(replace(later.report, problems=problems), unreadable=later.unreadable)
        self.songs_outside = self.songs_outside + later.songs_outside
        self.unreadable |= later.unreadable

    def counts(self) -> dict[str, Any]:
        """Return the counts, as JSON can hold them."""
        return {
            "rows": self.report.rows,
            "rowsWithMissingValues": self.report.rows_with_missing_values,
            "rowsClassifiedWithMissingValues": self.report.rows_with_missing_values_classified,
            "rowsInvalid": self.report.rows_invalid,
            "songsOutsideTrainingRange": by_group(self.songs_outside),
        }

    def problems(self) -> dict[str, Any]:
        """Return the problems, as JSON can hold them."""
        problems = [asdict(problem) | {"kind": problem.kind.value} for problem in self.report.problems]
        return {"problemCount": self.report.problem_count, "problems": problems}


@dataclass(frozen=True, slots=True)
class BulkSummary:
    """What a run came to.

    Attributes:
        model_version: of the model that classified.
        findings: what was found in all files.
        by_file: what was found in each, by what users know it by.
        refused: whether nothing was written for what was found.
        rows_duplicated: rows that lost to a later one with the same track id.
        rows_uncertain: songs of a confidence below the minimum.
        genre_counts: songs of each genre, by name.
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
        """Songs that were written, each track id once."""
        return sum(self.genre_counts.values())

    def counts(self) -> dict[str, Any]:
        """Return the counts, as JSON can hold them."""
        return {
            **self.findings.counts(),
            "rowsDuplicated": self.rows_duplicated,
            "rowsClassified": self.rows_classified,
            "rowsUncertain": self.rows_uncertain,
            "genres": self.genre_counts,
        }

    def to_json(self) -> dict[str, Any]:
        """Return the report: the counts, and what was found in each file."""
        files = [{"file": file, **found.counts(), **found.problems()} for file, found in self.by_file.items()]
        return {"modelVersion": self.model_version, "refused": self.refused, **self.counts(), "files": files}
