"""Options of a batch."""

from __future__ import annotations

from dataclasses import dataclass

from app.catalogue.errors import InvalidArgumentError
from ml.songs.problems import OnInvalidRow, OnMissingValue


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """Options of a batch.

    Attributes:
        on_invalid_row: reject the file, or skip invalid rows.
        on_missing_value: skip rows with missing values, or classify them from the values they have.
        min_confidence: from 0 to 1; songs with lower confidence are stored as uncertain.
    """

    on_invalid_row: OnInvalidRow = OnInvalidRow.REJECT_FILE
    on_missing_value: OnMissingValue = OnMissingValue.SKIP_ROW
    min_confidence: float = 0.0

    def checked(self, argument: str) -> BatchOptions:
        """Return the options after checking their ranges.

        Raises:
            InvalidArgumentError: `min_confidence` is out of range; the message names `argument`.
        """
        if not 0 <= self.min_confidence <= 1:
            problem = f"must be from 0 to 1, not {self.min_confidence:g}"
            raise InvalidArgumentError(f"{argument}.minConfidence", problem)
        return self
