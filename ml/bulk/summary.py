"""What a run came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ml.bulk.report import Findings


@dataclass(frozen=True, slots=True)
class BulkSummary:
    """What a run came to.

    Attributes:
        model_version: of the model that decided.
        findings: what was found in the files.
        refused: whether nothing was written for what was found.
        rows_duplicated: rows that lost to a later one with the same track id.
        rows_uncertain: songs of a confidence below the minimum.
        genre_counts: songs of each genre, by name.
    """

    model_version: str
    findings: Findings
    refused: bool = False
    rows_duplicated: int = 0
    rows_uncertain: int = 0
    genre_counts: dict[str, int] = field(default_factory=dict)

    @property
    def rows_classified(self) -> int:
        """Songs that were written, each track id once."""
        return sum(self.genre_counts.values())

    def counts(self) -> dict[str, Any]:
        """Return the counts, as JSON can hold them."""
        return {
            "rows": self.findings.rows,
            "rowsWithMissingValues": self.findings.rows_with_missing_values,
            "rowsInvalid": self.findings.rows_invalid,
            "rowsDuplicated": self.rows_duplicated,
            "rowsClassified": self.rows_classified,
            "rowsUncertain": self.rows_uncertain,
            "songsOutsideTrainingRange": self.findings.songs_outside,
            "genres": self.genre_counts,
        }

    def to_json(self) -> dict[str, Any]:
        """Return the report: the counts, and what was found in each file."""
        return {
            "modelVersion": self.model_version,
            "refused": self.refused,
            **self.counts(),
            "files": self.findings.to_json(),
        }
