"""Create the database rows of a batch, and record its end."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog

from app.batches.options import BatchOptions
from app.database.tables import BatchProblemRow, BatchRow, BatchStatus, BatchUploadRow
from app.observability.metrics import Metrics
from ml.songs.problems import SongFileProblem

log = structlog.get_logger(__name__)


def new_batch(  # noqa: PLR0913  (by keyword)
    *,
    file_name: str | None,
    client_id: str,
    created_at: datetime,
    min_confidence: float,
    model_version: str,
    selection: dict[str, Any] | None = None,
    status: BatchStatus = BatchStatus.RUNNING,
) -> BatchRow:
    """Return a new batch without results."""
    return BatchRow(
        id=uuid.uuid4(),
        file_name=file_name,
        client_id=client_id,
        status=status,
        rows_uploaded=0,
        rows_with_missing_values=0,
        rows_invalid=0,
        rows_duplicated=0,
        rows_classified=0,
        problem_count=0,
        min_confidence=min_confidence,
        rows_uncertain=0,
        genre_counts={},
        model_version=model_version,
        selection=selection,
        created_at=created_at,
        started_at=None if status is BatchStatus.QUEUED else created_at,
        finished_at=None,
    )


def new_upload(batch: BatchRow, options: BatchOptions) -> BatchUploadRow:
    """Return the upload of a batch, before its file is stored."""
    return BatchUploadRow(
        batch_id=batch.id,
        join_key=None,
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
