"""How a batch is to be classified."""

from __future__ import annotations

from dataclasses import dataclass

from app.services.errors import InvalidArgumentError
from ml.song_file import OnInvalidRow


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How a batch is to be classified.

    Attributes:
        on_invalid_row: refuse the whole batch for a wrong row, or leave the row out.
        min_confidence: from 0 to 1; songs of lower confidence are stored as uncertain.
    """

    on_invalid_row: OnInvalidRow = OnInvalidRow.REJECT_FILE
    min_confidence: float = 0.0

    def checked(self, argument: str) -> BatchOptions:
        """Return the options if they are in range.

        Raises:
            InvalidArgumentError: `min_confidence` is not; the message names `argument`.
        """
        if not 0 <= self.min_confidence <= 1:
            problem = f"must be from 0 to 1, not {self.min_confidence:g}"
            raise InvalidArgumentError(f"{argument}.minConfidence", problem)
        return self
