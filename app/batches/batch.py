"""A batch: its options, its drift, its database rows and its end."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from app.catalogue.errors import InvalidArgumentError
from app.database.tables import BatchProblemRow, BatchRow, BatchStatus, BatchUploadRow
from app.observability.metrics import Metrics
from ml.songs.problems import OnInvalidRow, OnMissingValue, SongFileProblem

Drift = dict[str, int]
"""Value of `batches.drift`: the number of `SONGS`, and by feature group the number of songs outside the
training range. Empty if there are no songs."""

SONGS: Final = "songs"

log = structlog.get_logger(__name__)


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


def drift_of(songs: int, outside: Mapping[str, int]) -> Drift:
    """Return the drift, given the number of songs and of those outside the range by feature group."""
    return {SONGS: songs, **outside}


def add_drift(total: Drift, more: Drift) -> Drift:
    """Return the combined drift of two sets of songs."""
    return {key: total.get(key, 0) + count for key, count in more.items()}


def new_batch(  # noqa: PLR0913 - the last by keyword
    options: BatchOptions,
    model_version: str,
    client_id: str,
    *,
    file_name: str | None = None,
    selection: dict[str, Any] | None = None,
    created_at: datetime | None = None,
    status: BatchStatus = BatchStatus.RUNNING,
) -> BatchRow:
    """Return a new batch without results, created now unless said otherwise."""
    created_at = created_at or datetime.now(UTC)
    return BatchRow(
        id=uuid.uuid4(),
        file_name=file_name,
        client_id=client_id,
        status=status,
        min_confidence=options.min_confidence,
        model_version=model_version,
        selection=selection,
        created_at=created_at,
        started_at=None if status is BatchStatus.QUEUED else created_at,
    )


def new_upload(batch: BatchRow, options: BatchOptions) -> BatchUploadRow:
    """Return the upload of a batch, before its file is stored."""
    return BatchUploadRow(
        batch_id=batch.id,
        size_bytes=0,
        on_invalid_row=options.on_invalid_row.value,
        on_missing_value=options.on_missing_value.value,
        stored_at=batch.created_at,
    )


def problem_rows(batch_id: uuid.UUID, problems: Sequence[SongFileProblem]) -> list[BatchProblemRow]:
    """Return the problems of a batch's file as rows."""
    return [
        BatchProblemRow(
            batch_id=batch_id,
            position=position,
            kind=problem.kind.value,
            line=problem.line,
            column_name=problem.column,
            value=problem.value,
            message=problem.message,
        )
        for position, problem in enumerate(problems)
    ]


def note_end(batch: BatchRow, metrics: Metrics) -> None:
    """Log and count the end of a batch."""
    seconds = ((batch.finished_at or batch.created_at) - batch.created_at).total_seconds()
    metrics.record_batch(str(batch.status), seconds)
    log.info(
        "batch ended",
        batch_id=str(batch.id),
        client_id=batch.client_id,
        status=str(batch.status),
        rows=batch.rows_uploaded,
        songs=batch.rows_classified,
        uncertain=batch.rows_uncertain,
        model_version=batch.model_version,
        drift=batch.drift,
        seconds=round(seconds, 3),
    )
