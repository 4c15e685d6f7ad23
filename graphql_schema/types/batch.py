"""Batches: what came in, what was stored, what was wrong."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Self

import strawberry
from pydantic import ValidationError
from strawberry import relay

from app.database.tables import BatchRow
from app.repositories.batches import batch_cursor
from app.repositories.paging import Page
from app.repositories.songs import SongFilter
from app.services.drift import drift_of_all
from app.services.errors import InvalidArgumentError
from graphql_schema.arguments import DEFAULT_BATCHES, DEFAULT_SONGS, After, First
from graphql_schema.context import Info
from graphql_schema.enums import BatchStatus, FeatureGroup
from graphql_schema.paging import page_info
from graphql_schema.types.genre import BatchGenre, Genre
from graphql_schema.types.model import Model
from graphql_schema.types.problem import DEFAULT_PROBLEMS, SongFileProblem
from graphql_schema.types.song import SongConnection, song_connection
from ml.artifact import Manifest


@strawberry.type(description="How many songs of a batch are unlike those that the model was trained on.")
class FeatureGroupDrift:
    group: FeatureGroup = strawberry.field(description="In which features.")
    songs_outside: int = strawberry.field(
        description=(
            "Songs with more than 5 % of the group's values below the lowest or above the highest one among "
            "the songs that the model was trained on."
        )
    )
    share: float = strawberry.field(
        description=(
            "Their share of the songs that the model saw, from 0 to 1. With the model that genregraph comes "
            "with, 0.033 is usual of METADATA, 0.049 of AUDIO and 0.005 of LYRICS; far more means that "
            "features are made in another way than they were for training."
        )
    )


@strawberry.type(
    description=(
        "Songs that were classified together. `rowsUploaded` is the sum of `rowsWithMissingValues`, "
        "`rowsInvalid`, `rowsDuplicated` and `rowsClassified`."
    )
)
class Batch(relay.Node):
    row: strawberry.Private[BatchRow]
    key: relay.NodeID[uuid.UUID]
    file_name: str | None = strawberry.field(
        description="Name of the uploaded file; null if the songs came as JSON."
    )
    status: BatchStatus = strawberry.field(description="How far the batch is.")
    rows_uploaded: int = strawberry.field(description="Rows of the file, without its header.")
    rows_processed: int = strawberry.field(
        description="Rows looked at so far; they show in `songs` when all are, and the batch has succeeded."
    )
    rows_with_missing_values: int = strawberry.field(description="Rows left out because a value was missing.")
    rows_invalid: int = strawberry.field(description="Rows left out because a value was wrong.")
    rows_duplicated: int = strawberry.field(
        description="Rows left out because a later row has the same track id."
    )
    rows_classified: int = strawberry.field(description="Songs classified and stored.")
    rows_uncertain: int = strawberry.field(
        description="Classified rows below `minConfidence`; they count as `rowsClassified` too."
    )
    min_confidence: float = strawberry.field(
        description="The confidence that a song of the batch needs to be confident, from 0 to 1."
    )
    problem_count: int = strawberry.field(description="How many wrong values were found.")
    created_at: datetime = strawberry.field(description="When the batch arrived.")
    started_at: datetime | None = strawberry.field(description="When work on it began.")
    finished_at: datetime | None = strawberry.field(description="When work on it ended.")
    error: str | None = strawberry.field(description="Why the batch failed; null unless it did.")

    @classmethod
    def of(cls, row: BatchRow) -> Self:
        """Make the batch of a stored row."""
        return cls(
            row=row,
            key=row.id,
            file_name=row.file_name,
            status=BatchStatus(row.status),
            rows_uploaded=row.rows_uploaded,
            # The release before knew no progress: its batches came into being finished.
            rows_processed=row.rows_uploaded if row.status == BatchStatus.SUCCEEDED else row.rows_processed,
            rows_with_missing_values=row.rows_with_missing_values,
            rows_invalid=row.rows_invalid,
            rows_duplicated=row.rows_duplicated,
            rows_classified=row.rows_classified,
            rows_uncertain=row.rows_uncertain,
            min_confidence=row.min_confidence,
            problem_count=row.problem_count,
            created_at=row.created_at,
            started_at=row.started_at,
            finished_at=row.finished_at,
            error=row.error,
        )

    @strawberry.field(description="The wrong values found in the file, by line; the first 100 are kept.")
    async def problems(self, info: Info, first: First = DEFAULT_PROBLEMS) -> list[SongFileProblem]:
        rows = await info.context.catalogue.batch_problems(
            self.row.id, DEFAULT_PROBLEMS if first is None else first
        )
        return [SongFileProblem.of_row(row) for row in rows]

    @strawberry.field(
        description="The batch's songs by title; a song classified again since belongs to the later batch."
    )
    async def songs(self, info: Info, first: First = DEFAULT_SONGS, after: After = None) -> SongConnection:
        return await song_connection(info, SongFilter(batch_id=self.row.id), first, after)

    @strawberry.field(description="The genres that the model gave, by name.")
    def genres(self) -> list[BatchGenre]:
        return [
            BatchGenre(genre=Genre(name=genre), song_count=count)
            for genre, count in sorted(self.row.genre_counts.items())
        ]

    @strawberry.field(
        description=(
            "How far the songs differ from those that the model was trained on, by group of features; null "
            "until the batch has succeeded, and of batches that an older release stored."
        )
    )
    def drift(self) -> list[FeatureGroupDrift] | None:
        songs = self.row.rows_classified + self.row.rows_duplicated
        drift = drift_of_all(self.row.drift, songs)
        if drift is None or self.row.status != BatchStatus.SUCCEEDED:
            return None
        counts = [(group, drift.get(group, 0)) for group in FeatureGroup]
        return [
            FeatureGroupDrift(group=group, songs_outside=count, share=count / songs if songs else 0.0)
            for group, count in counts
        ]

    @strawberry.field(
        description="The model that decided; null if another release wrote it in a form unknown to this one."
    )
    async def model(self, info: Info) -> Model | None:
        row = await info.context.loaders.model.load(self.row.model_version)
        if row is None:
            return None
        try:
            return Model.of(Manifest.from_json(row.manifest))
        except ValidationError:
            return None

    @classmethod
    async def find(cls, node_id: str, info: Info) -> Self | None:
        """Return the batch of an id, None if there is none."""
        try:
            batch_id = uuid.UUID(node_id)
        except ValueError:
            return None
        row = await info.context.loaders.batch.load(batch_id)
        return None if row is None else cls.of(row)


def batch_uuid(argument: str, global_id: relay.GlobalID) -> uuid.UUID:
    """Return the key in a batch's global id.

    Raises:
        InvalidArgumentError: it is the id of something else.
    """
    try:
        if global_id.type_name == "Batch":
            return uuid.UUID(global_id.node_id)
    except ValueError:
        pass
    raise InvalidArgumentError(argument, "is not the id of a batch; pass `Batch.id`")


@strawberry.type(description="A batch in a list, with its place.")
class BatchEdge:
    cursor: str = strawberry.field(description="Pass it as `after` to continue behind this batch.")
    node: Batch = strawberry.field(description="The batch.")


@strawberry.type(description="A page of batches, newest first.")
class BatchConnection:
    page: strawberry.Private[Page[BatchRow]]
    page_info: relay.PageInfo = strawberry.field(description="Where this page is in the list.")

    @strawberry.field(description="The batches of this page, each with its cursor.")
    def edges(self) -> list[BatchEdge]:
        return [BatchEdge(cursor=batch_cursor(row), node=Batch.of(row)) for row in self.page.rows]

    @strawberry.field(description="The batches of this page.")
    def nodes(self) -> list[Batch]:
        return [Batch.of(row) for row in self.page.rows]

    @strawberry.field(description="How many batches the whole list has; worked out only when asked for.")
    async def total_count(self, info: Info) -> int:
        return await info.context.catalogue.batch_count(info.context.caller)


async def batch_connection(info: Info, first: int | None, after: str | None) -> BatchConnection:
    """Read a page of batches.

    Raises:
        InvalidRequestError, InvalidCursorError: see `Catalogue.batches`.
    """
    page = await info.context.catalogue.batches(
        DEFAULT_BATCHES if first is None else first, after, info.context.caller
    )
    return BatchConnection(page=page, page_info=page_info(page, after, batch_cursor))
