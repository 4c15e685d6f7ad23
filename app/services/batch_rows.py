"""The rows that a batch leaves in the database beside its songs."""

from __future__ import annotations

import uuid
from datetime import datetime

import structlog

from app.database.tables import BatchProblemRow, BatchRow, BatchStatus
from app.metrics.metrics import Metrics
from ml.song_file import SongFileProblem

log = structlog.get_logger(__name__)


def new_batch(  # noqa: PLR0913  (by keyword)
    *,
    file_name: str | None,
    client_id: str,
    created_at: datetime,
    min_confidence: float,
    model_version: str,
    status: BatchStatus = BatchStatus.RUNNING,
) -> BatchRow:
    """Return a batch of which nothing is known yet but what was asked for."""
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
        created_at=created_at,
        started_at=None if status is BatchStatus.QUEUED else created_at,
        finished_at=None,
    )


def problem_rows(batch_id: uuid.UUID, problems: list[SongFileProblem]) -> list[BatchProblemRow]:
    """Return what was wrong in a batch's file as rows."""
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
    """Log and count how a batch ended."""
    seconds = ((batch.finished_at or batch.created_at) - batch.created_at).total_seconds()
    metrics.note_batch(str(batch.status), seconds)
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
