"""Batches, their results and problems."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Self

import strawberry
from pydantic import ValidationError
from strawberry import field, relay

from app.batches.classifier import SONGS
from app.batches.repository import batch_cursor
from app.catalogue.errors import InvalidArgumentError
from app.catalogue.paging import Page
from app.catalogue.repository import SongFilter
from app.database.tables import BatchRow, BatchStatus
from graphql_schema.context import Info
from graphql_schema.declarations import describe_enum, reads
from graphql_schema.inputs import DEFAULT_SONGS, After, First
from graphql_schema.types.model import Model
from graphql_schema.types.problem import DEFAULT_PROBLEMS, SongFileProblem
from graphql_schema.types.song import BatchGenre, Genre, SongConnection, song_connection
from ml.model.drift import FeatureGroup
from ml.model.manifest import Manifest

describe_enum(
    BatchStatus,
    "The state of a batch.",
    QUEUED="Waiting for a worker.",
    RUNNING="Being classified.",
    WAITING="Waiting for the cause in `waitingReason` to clear; it then resumes on its own.",
    SUCCEEDED="All songs are stored.",
    FAILED="Failed, with nothing stored; see `error`.",
    CANCELLED="Stopped by `cancelBatch`, with nothing stored.",
)

describe_enum(
    FeatureGroup,
    "A group of song features with a common source.",
    METADATA="Loudness, tempo, time signature, key, mode and duration.",
    AUDIO="The 148 audio features.",
    LYRICS=("Lyric statistics: languages, themes, rarity of words, and similarity to genres."),
)


@strawberry.type(description="The number of songs in a batch that are unlike the model's training songs.")
class FeatureGroupDrift:
    group: FeatureGroup = field(description="The feature group.")
    songs_outside: int = field(
        description=(
            "The number of songs with more than 5 % of the group's values outside the range seen in training."
        )
    )
    share: float = field(
        description=(
            "The share of these songs among those classified, from 0 to 1. For the shipped model, 0.033 "
            "(METADATA), 0.049 (AUDIO) and 0.005 (LYRICS) are typical; much higher values suggest "
            "features computed differently from the training data."
        )
    )


@strawberry.type(
    description=(
        "A set of songs classified together. `rowsUploaded` equals the sum of `rowsWithMissingValues`, "
        "`rowsInvalid`, `rowsDuplicated` and `rowsClassified`."
    )
)
class Batch(relay.Node):
    row: strawberry.Private[BatchRow]
    key: relay.NodeID[uuid.UUID]
    file_name: str | None = reads(
        "row.file_name",
        "The name of the uploaded file. Null for songs sent as JSON and for reclassified songs.",
    )
    status: BatchStatus = reads("row.status", "The state of the batch.")
    rows_uploaded: int = reads(
        "row.rows_uploaded", "The number of rows in the file, excluding the header, or of songs."
    )
    rows_processed: int = reads(
        "row.rows_processed",
        "The number of rows processed so far. Their songs become visible once the batch succeeds.",
    )
    rows_with_missing_values: int = reads(
        "row.rows_with_missing_values", "The number of rows skipped because of a missing value."
    )
    rows_classified_with_missing_values: int = reads(
        "row.rows_classified_with_missing_values",
        "The number of rows classified despite missing values (`onMissingValue: CLASSIFY`). They are"
        " also counted in `rowsClassified` or `rowsDuplicated`.",
    )
    rows_invalid: int = reads("row.rows_invalid", "The number of rows skipped because of an invalid value.")
    rows_duplicated: int = reads(
        "row.rows_duplicated", "The number of rows skipped because a later row has the same track ID."
    )
    rows_classified: int = reads("row.rows_classified", "The number of songs classified and stored.")
    rows_uncertain: int = reads(
        "row.rows_uncertain",
        "The number of classified rows with a confidence below `minConfidence`. They are also counted in"
        " `rowsClassified`.",
    )
    min_confidence: float = reads("row.min_confidence", "The confidence threshold of the batch, from 0 to 1.")
    problem_count: int = reads("row.problem_count", "The number of invalid values found.")
    created_at: datetime = reads("row.created_at", "When the batch was created.")
    started_at: datetime | None = reads("row.started_at", "When processing started.")
    finished_at: datetime | None = reads("row.finished_at", "When processing ended.")
    waiting_reason: str | None = reads(
        "row.waiting_reason", "What the batch is waiting for. Null unless its status is `WAITING`."
    )
    results_until: datetime | None = reads(
        "row.results_until",
        "When the downloads at `/batches/{id}/songs.csv`, `.jsonl` and `.parquet` expire. Null "
        "unless the batch succeeded.",
    )
    songs_superseded: int = reads(
        "row.songs_superseded",
        "The number of its songs that a later batch classified again. `songs` excludes them; the "
        "downloads include them.",
    )
    error: str | None = reads("row.error", "Why the batch failed. Null unless it did.")

    @classmethod
    def of(cls, row: BatchRow) -> Self:
        return cls(row=row, key=row.id)

    @field(description="The invalid values found in the file, ordered by line. Only the first 100 are kept.")
    async def problems(self, info: Info, first: First = DEFAULT_PROBLEMS) -> list[SongFileProblem]:
        rows = await info.context.batches.problems(self.row.id, DEFAULT_PROBLEMS if first is None else first)
        return [SongFileProblem.of_row(row) for row in rows]

    @field(
        description=(
            "The stored songs that this batch was the last to classify, ordered by title. Songs that a "
            "later batch classified again are counted in `songsSuperseded` instead."
        )
    )
    async def songs(self, info: Info, first: First = DEFAULT_SONGS, after: After = None) -> SongConnection:
        return await song_connection(info, SongFilter(batch_id=self.row.id), first, after)

    @field(description="The genres predicted, ordered by name.")
    def genres(self) -> list[BatchGenre]:
        return [
            BatchGenre(genre=Genre(name=genre), song_count=count)
            for genre, count in sorted(self.row.genre_counts.items())
        ]

    @field(
        description=(
            "How much the songs differ from the model's training songs, by feature group. Null until the"
            " batch succeeds."
        )
    )
    def drift(self) -> list[FeatureGroupDrift] | None:
        drift = self.row.drift
        if drift is None or self.row.status != BatchStatus.SUCCEEDED:
            return None
        songs = drift.get(SONGS, 0)
        counts = [(group, drift.get(group, 0)) for group in FeatureGroup]
        return [
            FeatureGroupDrift(group=group, songs_outside=count, share=count / songs if songs else 0.0)
            for group, count in counts
        ]

    @field(description="The model used. Null if it was recorded in a format this release cannot read.")
    async def model(self, info: Info) -> Model | None:
        manifest = await info.context.loaders.manifest.load(self.row.model_version)
        if manifest is None:
            return None
        try:
            return Model.of(Manifest.model_validate(manifest))
        except ValidationError:
            return None

    @classmethod
    async def find(cls, node_id: str, info: Info) -> Self | None:
        """Return a batch by ID, or None."""
        try:
            batch_id = uuid.UUID(node_id)
        except ValueError:
            return None
        row = await info.context.loaders.batch.load(batch_id)
        return None if row is None else cls.of(row)


def batch_uuid(argument: str, global_id: relay.GlobalID) -> uuid.UUID:
    """Return the key in a batch's global ID.

    Raises:
        InvalidArgumentError: it is not a batch ID.
    """
    try:
        if global_id.type_name == "Batch":
            return uuid.UUID(global_id.node_id)
    except ValueError:
        pass
    raise InvalidArgumentError(argument, "is not a batch ID; pass `Batch.id`")


async def known_batch(info: Info, batch_id: relay.GlobalID | None) -> uuid.UUID | None:
    """Return the key in the argument `batchId`, or None if it was not given.

    Raises:
        InvalidArgumentError: it is not the ID of a batch that the caller can access.
    """
    if batch_id is None:
        return None
    key = batch_uuid("batchId", batch_id)
    if await info.context.loaders.batch.load(key) is None:
        raise InvalidArgumentError("batchId", "there is no such batch")
    return key


@strawberry.type(description="A batch and its cursor.")
class BatchEdge:
    cursor: str = field(description="Pass as `after` to return the batches after this one.")
    node: Batch = field(description="The batch.")


@strawberry.type(description="A page of batches, newest first.")
class BatchConnection:
    page: strawberry.Private[Page[BatchRow]]
    page_info: relay.PageInfo = field(description="Information about this page.")

    @field(description="The batches on this page with their cursors.")
    def edges(self) -> list[BatchEdge]:
        return [BatchEdge(cursor=batch_cursor(row), node=Batch.of(row)) for row in self.page.rows]

    @field(description="The batches on this page.")
    def nodes(self) -> list[Batch]:
        return [Batch.of(row) for row in self.page.rows]

    @field(description="The total number of batches. Computed only when requested.")
    async def total_count(self, info: Info) -> int:
        return await info.context.batches.count(info.context.caller)
