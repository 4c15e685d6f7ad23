"""The tables, as SQLModel classes. Alembic's drift test compares them with the migrated schema."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

CODE_POINT_ORDER = "C"
"""Collation of every text we sort by: a locale's order can change under an index when a system
library is upgraded, code points cannot."""


class Table(SQLModel):
    """Base of our tables, with metadata of its own so that constraint names are predictable."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMING_CONVENTION)


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Tell Alembic's comparisons to leave the queue library's tables alone."""
    return kind != "table" or name is None or not name.startswith("pgqueuer")


class BatchStatus(StrEnum):
    """How far a batch is."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        """Whether a batch stays as it is from here on."""
        return self not in (BatchStatus.QUEUED, BatchStatus.RUNNING)


class ClientRow(Table, table=True):
    """A client that may call, unless it was revoked."""

    __tablename__ = "api_clients"

    name: str = Field(sa_column=Column(Text(collation=CODE_POINT_ORDER), primary_key=True))
    role: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    last_used_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    revoked_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))


class ClientSecretRow(Table, table=True):
    """The SHA-256 hash of a client's secret; several are valid at once while they are rotated."""

    __tablename__ = "api_client_secrets"
    __table_args__ = (Index(None, "client_name"),)

    id: uuid.UUID = Field(sa_column=Column(Uuid, primary_key=True))
    client_name: str = Field(
        sa_column=Column(
            Text(collation=CODE_POINT_ORDER),
            ForeignKey("api_clients.name", ondelete="CASCADE"),
            nullable=False,
        )
    )
    secret_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    expires_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))


class ModelRow(Table, table=True):
    """A model that has classified songs here, so that their probabilities keep their meaning."""

    __tablename__ = "models"

    version: str = Field(sa_column=Column(Text, primary_key=True))
    manifest: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    registered_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class BatchRow(Table, table=True):
    """One classification: what came in, what was stored, by which model.

    `drift` counts the songs outside the range of training, so far (`app.services.drift`); the release before
    leaves it as it is.
    """

    __tablename__ = "batches"
    __table_args__ = (Index(None, "created_at", "id"), Index(None, "client_id", "created_at", "id"))

    id: uuid.UUID = Field(sa_column=Column(Uuid, primary_key=True))
    file_name: str | None = Field(sa_column=Column(Text))
    client_id: str = Field(sa_column=Column(Text, nullable=False))
    status: str = Field(sa_column=Column(Text, nullable=False))
    rows_uploaded: int = Field(sa_column=Column(Integer, nullable=False))
    rows_processed: int = Field(
        default=0, sa_column=Column(Integer, nullable=False, server_default=text("0"))
    )
    rows_with_missing_values: int = Field(sa_column=Column(Integer, nullable=False))
    rows_invalid: int = Field(sa_column=Column(Integer, nullable=False))
    rows_duplicated: int = Field(sa_column=Column(Integer, nullable=False))
    rows_classified: int = Field(sa_column=Column(Integer, nullable=False))
    problem_count: int = Field(sa_column=Column(Integer, nullable=False))
    min_confidence: float = Field(sa_column=Column(Double, nullable=False, server_default=text("0")))
    rows_uncertain: int = Field(sa_column=Column(Integer, nullable=False, server_default=text("0")))
    genre_counts: dict[str, int] = Field(sa_column=Column(JSONB, nullable=False))
    drift: dict[str, int] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    model_version: str = Field(sa_column=Column(ForeignKey("models.version"), nullable=False))
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    started_at: datetime | None = Field(sa_column=Column(DateTime(timezone=True)))
    finished_at: datetime | None = Field(sa_column=Column(DateTime(timezone=True)))
    error: str | None = Field(default=None, sa_column=Column(Text))


class BatchProblemRow(Table, table=True):
    """A row of a batch's file that was left out, and why."""

    __tablename__ = "batch_problems"

    batch_id: uuid.UUID = Field(
        sa_column=Column(ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True)
    )
    position: int = Field(sa_column=Column(Integer, primary_key=True))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    line: int | None = Field(sa_column=Column(Integer))
    column_name: str | None = Field(sa_column=Column(Text))
    value: str | None = Field(sa_column=Column(Text))
    message: str = Field(sa_column=Column(Text, nullable=False))


class BatchUploadRow(Table, table=True):
    """The file of a batch that is classified in the background, and how far the work on it is.

    `join_key` names what was asked for: the same file sent again by the same client with the same options
    joins the batch. It is null once the batch has failed. `claim` names the worker that has the batch: one
    that was thought dead, and lost it to another, finds another claim here and stops. `attempts` counts the
    workers that took the batch since it last got further. `songs_staged` and `state`, a `SongFileState`,
    tell where the next of them goes on.
    """

    __tablename__ = "batch_uploads"

    batch_id: uuid.UUID = Field(
        sa_column=Column(ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True)
    )
    join_key: str | None = Field(sa_column=Column(Text, unique=True))
    size_bytes: int = Field(sa_column=Column(BigInteger, nullable=False))
    on_invalid_row: str = Field(sa_column=Column(Text, nullable=False))
    claim: uuid.UUID | None = Field(default=None, sa_column=Column(Uuid))
    attempts: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))
    songs_staged: int = Field(
        default=0, sa_column=Column(BigInteger, nullable=False, server_default=text("0"))
    )
    state: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB))
    stored_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class BatchUploadPartRow(Table, table=True):
    """A compressed part of a stored file; all but the last hold as many bytes of the file."""

    __tablename__ = "batch_upload_parts"

    batch_id: uuid.UUID = Field(
        sa_column=Column(ForeignKey("batch_uploads.batch_id", ondelete="CASCADE"), primary_key=True)
    )
    position: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class StagedSongRow(Table, table=True):
    """A song of a background batch, classified, and not to be seen before the whole batch is.

    `batch_id` has no foreign key: checking it for each song would cost more than copying the song.
    """

    __tablename__ = "staged_batch_songs"

    batch_id: uuid.UUID = Field(sa_column=Column(Uuid, primary_key=True))
    ordinal: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    track_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    title: str = Field(sa_column=Column(Text(collation=CODE_POINT_ORDER), nullable=False))
    title_folded: str = Field(sa_column=Column(Text(collation=CODE_POINT_ORDER), nullable=False))
    genre: str = Field(sa_column=Column(Text(collation=CODE_POINT_ORDER), nullable=False))
    confidence: float = Field(sa_column=Column(Double, nullable=False))
    probabilities: list[float] = Field(sa_column=Column(ARRAY(Double), nullable=False))


def _uncertain_index(*columns: str) -> Index:
    name = "_".join(("ix_songs_uncertain", *columns))
    return Index(name, *columns, postgresql_where=text("NOT confident"))


class SongRow(Table, table=True):
    """A classified song.

    `probabilities` follow the order of the genres in the manifest of `model_version`.
    `title_folded` is the case-folded title that searches look in: PostgreSQL's own lower() knows
    only ASCII under the collation we sort by.
    `confident` is false where `confidence` was below the `min_confidence` of the song's batch. The indexes
    of such songs alone make lists of them cost the same at any depth; a list of confident songs walks the
    general indexes and steps over the others.

    `batch_id` and `model_version` have no foreign keys: all songs of a merge have the same two, whose
    rows the same transaction wrote, and checking them again for each song takes a third of the merge.
    """

    __tablename__ = "songs"
    __table_args__ = (
        Index(None, "title", "track_id"),
        Index(None, "genre", "title", "track_id"),
        Index(None, "batch_id", "title", "track_id"),
        _uncertain_index("title", "track_id"),
        _uncertain_index("genre", "title", "track_id"),
        _uncertain_index("batch_id", "title", "track_id"),
        Index(
            "ix_songs_title_folded_trigrams",
            "title_folded",
            postgresql_using="gin",
            postgresql_ops={"title_folded": "gin_trgm_ops"},
        ),
    )

    track_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    title: str = Field(sa_column=Column(Text(collation=CODE_POINT_ORDER), nullable=False))
    title_folded: str = Field(sa_column=Column(Text(collation=CODE_POINT_ORDER), nullable=False))
    genre: str = Field(sa_column=Column(Text(collation=CODE_POINT_ORDER), nullable=False))
    confidence: float = Field(sa_column=Column(Double, nullable=False))
    confident: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("true")))
    probabilities: list[float] = Field(sa_column=Column(ARRAY(Double), nullable=False))
    model_version: str = Field(sa_column=Column(Text, nullable=False))
    batch_id: uuid.UUID = Field(sa_column=Column(Uuid, nullable=False))
    classified_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class GenreCountRow(Table, table=True):
    """How many songs of a genre are stored, and how many of them are uncertain.

    Triggers on `songs` keep the counts, so that reading them costs the same among any number of songs.
    """

    __tablename__ = "genre_counts"

    genre: str = Field(sa_column=Column(Text(collation=CODE_POINT_ORDER), primary_key=True))
    song_count: int = Field(sa_column=Column(BigInteger, nullable=False))
    uncertain_count: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
