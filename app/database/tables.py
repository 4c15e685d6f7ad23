"""The tables, as SQLModel classes. A test compares them with the migrated schema."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
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
"""Collation of every sorted text: unlike code points, a locale's order can change with a system
upgrade, which corrupts indexes."""


class Table(SQLModel):
    """Base class of the tables, with predictable constraint names."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMING_CONVENTION)


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Return whether Alembic should compare a table; excludes the queue library's."""
    return kind != "table" or name is None or not name.startswith("pgqueuer")


class BatchStatus(StrEnum):
    """Status of a batch."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        """Whether this status is final."""
        return self in (BatchStatus.SUCCEEDED, BatchStatus.FAILED, BatchStatus.CANCELLED)


class ClientRow(Table, table=True):
    """A client."""

    __tablename__ = "api_clients"

    name: str = Field(sa_column=Column(Text(collation=CODE_POINT_ORDER), primary_key=True))
    role: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    last_used_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    revoked_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))


class ClientSecretRow(Table, table=True):
    """The SHA-256 hash of a client's secret; several can be valid during a rotation."""

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
    """A model that has classified stored songs; gives their probabilities a meaning."""

    __tablename__ = "models"

    version: str = Field(sa_column=Column(Text, primary_key=True))
    manifest: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    registered_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class BatchRow(Table, table=True):
    """A classification: its input, result and model.

    `drift` counts the songs so far that are outside the training range (`app.batches.batch`). `selection`
    selects the songs to reclassify; null if songs were sent. `songs_superseded`, maintained by a trigger on
    `songs`, counts songs that a later batch has reclassified. The results of a successful batch are deleted
    at `results_until`. `waiting_reason` says what a batch with the status WAITING waits for.
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
    rows_classified_with_missing_values: int = Field(
        default=0, sa_column=Column(Integer, nullable=False, server_default=text("0"))
    )
    rows_invalid: int = Field(sa_column=Column(Integer, nullable=False))
    rows_duplicated: int = Field(sa_column=Column(Integer, nullable=False))
    rows_classified: int = Field(sa_column=Column(Integer, nullable=False))
    problem_count: int = Field(sa_column=Column(Integer, nullable=False))
    min_confidence: float = Field(sa_column=Column(Double, nullable=False, server_default=text("0")))
    rows_uncertain: int = Field(sa_column=Column(Integer, nullable=False, server_default=text("0")))
    songs_superseded: int = Field(
        default=0, sa_column=Column(Integer, nullable=False, server_default=text("0"))
    )
    genre_counts: dict[str, int] = Field(sa_column=Column(JSONB, nullable=False))
    drift: dict[str, int] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    selection: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    model_version: str = Field(sa_column=Column(ForeignKey("models.version"), nullable=False))
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    started_at: datetime | None = Field(sa_column=Column(DateTime(timezone=True)))
    finished_at: datetime | None = Field(sa_column=Column(DateTime(timezone=True)))
    results_until: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    waiting_reason: str | None = Field(default=None, sa_column=Column(Text))
    error: str | None = Field(default=None, sa_column=Column(Text))


class BatchProblemRow(Table, table=True):
    """A skipped row of a batch's file, with the reason."""

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
    """The file and progress of a background batch.

    `join_key` identifies the request: the same file from the same client with the same options joins this
    batch, until it fails and the key is null. `claim` identifies the worker that owns the batch; a worker
    that finds another claim here has lost the batch and stops. `attempts` counts workers since the last
    progress. The next worker resumes at `songs_staged` and `state`, a `SongFileState`.
    """

    __tablename__ = "batch_uploads"

    batch_id: uuid.UUID = Field(
        sa_column=Column(ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True)
    )
    join_key: str | None = Field(sa_column=Column(Text, unique=True))
    size_bytes: int = Field(sa_column=Column(BigInteger, nullable=False))
    on_invalid_row: str = Field(sa_column=Column(Text, nullable=False))
    on_missing_value: str = Field(
        default="SKIP_ROW", sa_column=Column(Text, nullable=False, server_default=text("'SKIP_ROW'"))
    )
    claim: uuid.UUID | None = Field(default=None, sa_column=Column(Uuid))
    attempts: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))
    songs_staged: int = Field(
        default=0, sa_column=Column(BigInteger, nullable=False, server_default=text("0"))
    )
    state: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB))
    stored_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class BatchUploadPartRow(Table, table=True):
    """A compressed part of a stored file; all but the last cover the same number of bytes."""

    __tablename__ = "batch_upload_parts"

    batch_id: uuid.UUID = Field(
        sa_column=Column(ForeignKey("batch_uploads.batch_id", ondelete="CASCADE"), primary_key=True)
    )
    position: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class BatchResultPartRow(Table, table=True):
    """A compressed part of a batch's results (`app.batches.song_parts`).

    `first_ordinal` is the position of the first song in the batch. `features` holds the songs' features until
    the batch is stored. `left_out` holds the ordinals of songs whose track id a later row repeats.
    """

    __tablename__ = "batch_result_parts"

    batch_id: uuid.UUID = Field(
        sa_column=Column(ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True)
    )
    first_ordinal: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    songs: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    features: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    left_out: list[int] | None = Field(default=None, sa_column=Column(ARRAY(BigInteger)))


def _uncertain_index(*columns: str) -> Index:
    name = "_".join(("ix_songs_uncertain", *columns))
    return Index(name, *columns, postgresql_where=text("NOT confident"))


_VERIFIED = "verified_genre IS NOT NULL"


class SongRow(Table, table=True):
    """A classified song.

    `probabilities` follow the order of the genres in the manifest of `model_version`.
    `title_folded` is the case-folded title for searches: PostgreSQL's lower() only handles ASCII in this
    collation.
    `genre` is the verified genre, if there is one, otherwise the model's `predicted_genre`. `verified_by` is
    the client, and `verified_model_version` the model of the prediction at that time. `first_verified_at`
    stays when a verification is changed or withdrawn, since a model may have been trained on it.
    `confident` is false if `confidence` was below the batch's `min_confidence`. Partial indexes on uncertain
    songs keep the cost of their pages by title constant; pages of confident songs, and pages by confidence,
    use the general indexes and skip the others. Lists of all genres by confidence, and of all uncertain
    songs, have no index, because each index takes about 8 % of a merge: their pages are merged from the first
    songs of each genre.

    `batch_id` and `model_version` have no foreign keys: the same transaction writes the rows that they refer
    to, and checking them for each song would take a third of the merge.
    """

    __tablename__ = "songs"
    __table_args__ = (
        Index(None, "title", "track_id"),
        Index(None, "genre", "title", "track_id"),
        Index(None, "batch_id", "title", "track_id"),
        Index(None, "genre", "confidence", "track_id"),
        Index(None, "batch_id", "confidence", "track_id"),
        _uncertain_index("genre", "title", "track_id"),
        _uncertain_index("batch_id", "title", "track_id"),
        Index("ix_songs_verified_title_track_id", "title", "track_id", postgresql_where=text(_VERIFIED)),
        Index(
            "ix_songs_verified_track_id",
            "track_id",
            postgresql_include=["verified_genre"],
            postgresql_where=text(_VERIFIED),
        ),
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
    predicted_genre: str = Field(sa_column=Column(Text(collation=CODE_POINT_ORDER), nullable=False))
    verified_genre: str | None = Field(default=None, sa_column=Column(Text(collation=CODE_POINT_ORDER)))
    genre: str = Field(
        sa_column=Column(
            Text(collation=CODE_POINT_ORDER),
            Computed("coalesce(verified_genre, predicted_genre)", persisted=True),
            nullable=False,
        )
    )
    confidence: float = Field(sa_column=Column(Double, nullable=False))
    confident: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("true")))
    probabilities: list[float] = Field(sa_column=Column(ARRAY(Double), nullable=False))
    model_version: str = Field(sa_column=Column(Text, nullable=False))
    batch_id: uuid.UUID = Field(sa_column=Column(Uuid, nullable=False))
    classified_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    verified_by: str | None = Field(default=None, sa_column=Column(Text))
    verified_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    verified_model_version: str | None = Field(default=None, sa_column=Column(Text))
    first_verified_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))


class SongFeaturesRow(Table, table=True):
    """The features of a stored song: `numbers` are 154 little-endian float32 values.

    A trigger on `songs` deletes the features of deleted songs.
    """

    __tablename__ = "song_features"

    track_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    numbers: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    tags: str = Field(sa_column=Column(Text(collation=CODE_POINT_ORDER), nullable=False))


class GenreCountRow(Table, table=True):
    """The number of stored songs of a genre, and how many of them are uncertain.

    Triggers on `songs` maintain the counts, so that reading them does not depend on the number of songs.
    """

    __tablename__ = "genre_counts"

    genre: str = Field(sa_column=Column(Text(collation=CODE_POINT_ORDER), primary_key=True))
    song_count: int = Field(sa_column=Column(BigInteger, nullable=False))
    uncertain_count: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))


class CatalogueVersionRow(Table, table=True):
    """The single row that identifies the state of `songs` and `genre_counts`; see `app.catalogue.version`.

    A trigger on `songs` changes it in each transaction that writes songs.
    """

    __tablename__ = "catalogue_version"
    __table_args__ = (CheckConstraint("only_row", name="only_row"),)

    only_row: bool = Field(sa_column=Column(Boolean, primary_key=True, server_default=text("true")))
    version: uuid.UUID = Field(
        sa_column=Column(Uuid, nullable=False, server_default=text("gen_random_uuid()"))
    )
