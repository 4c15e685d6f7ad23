"""The tables, as SQLModel classes. A test compares them with the migrated schema."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, ClassVar

import sqlalchemy as sa
from pydantic_core import PydanticUndefined
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

# In the order of code points: a locale's can change with a system upgrade, which corrupts indexes.
_SORTED_TEXT = sa.Text(collation="C")
_MOMENT = sa.DateTime(timezone=True)
_ZERO = sa.text("0")


def _key(kind: Any, **options: Any) -> Any:
    """Return a column of the primary key; `kind` is its type or a foreign key."""
    return Field(sa_column=sa.Column(kind, primary_key=True, **options))


def _required(kind: Any, *constraints: Any, default: Any = PydanticUndefined, **options: Any) -> Any:
    """Return a column that is never null; new rows have the default unless a value is passed."""
    return Field(default=default, sa_column=sa.Column(kind, *constraints, nullable=False, **options))


def _optional(kind: Any, **options: Any) -> Any:
    """Return a column that is null in new rows unless a value is passed."""
    return Field(default=None, sa_column=sa.Column(kind, **options))


class Table(SQLModel):
    """Base class of the tables, with predictable constraint names."""

    metadata: ClassVar[sa.MetaData] = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


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

    name: str = _key(_SORTED_TEXT)
    role: str = _required(sa.Text)
    created_at: datetime = _required(_MOMENT)
    last_used_at: datetime | None = _optional(_MOMENT)
    revoked_at: datetime | None = _optional(_MOMENT)


class ClientSecretRow(Table, table=True):
    """The SHA-256 hash of a client's secret; several can be valid during a rotation."""

    __tablename__ = "api_client_secrets"
    __table_args__ = (sa.Index(None, "client_name"),)

    id: uuid.UUID = _key(sa.Uuid)
    client_name: str = _required(_SORTED_TEXT, sa.ForeignKey("api_clients.name", ondelete="CASCADE"))
    secret_hash: bytes = _required(sa.LargeBinary)
    created_at: datetime = _required(_MOMENT)
    expires_at: datetime | None = _optional(_MOMENT)


class ModelRow(Table, table=True):
    """A model that has classified stored songs; gives their probabilities a meaning."""

    __tablename__ = "models"

    version: str = _key(sa.Text)
    manifest: dict[str, Any] = _required(JSONB)
    registered_at: datetime = _required(_MOMENT)


class BatchRow(Table, table=True):
    """A classification: its input, result and model.

    `drift` is a `Drift` (`app.batches.classifier`) of the songs so far. `selection` selects the songs to
    reclassify; null if songs were sent. `songs_superseded`, maintained by a trigger on `songs`, counts songs
    that a later batch has reclassified. The results of a successful batch are deleted at `results_until`.
    `waiting_reason` says what a batch with the status WAITING waits for.
    """

    __tablename__ = "batches"
    __table_args__ = (sa.Index(None, "created_at", "id"), sa.Index(None, "client_id", "created_at", "id"))

    id: uuid.UUID = _key(sa.Uuid)
    file_name: str | None = _optional(sa.Text)
    client_id: str = _required(sa.Text)
    status: str = _required(sa.Text)
    rows_uploaded: int = _required(sa.Integer, default=0)
    rows_processed: int = _required(sa.Integer, default=0, server_default=_ZERO)
    rows_with_missing_values: int = _required(sa.Integer, default=0)
    rows_classified_with_missing_values: int = _required(sa.Integer, default=0, server_default=_ZERO)
    rows_invalid: int = _required(sa.Integer, default=0)
    rows_duplicated: int = _required(sa.Integer, default=0)
    rows_classified: int = _required(sa.Integer, default=0)
    problem_count: int = _required(sa.Integer, default=0)
    min_confidence: float = _required(sa.Double, server_default=_ZERO)
    rows_uncertain: int = _required(sa.Integer, default=0, server_default=_ZERO)
    songs_superseded: int = _required(sa.Integer, default=0, server_default=_ZERO)
    genre_counts: dict[str, int] = _required(JSONB, default={})
    drift: dict[str, int] | None = _optional(JSONB(none_as_null=True))
    selection: dict[str, Any] | None = _optional(JSONB(none_as_null=True))
    model_version: str = _required(sa.ForeignKey("models.version"))
    created_at: datetime = _required(_MOMENT)
    started_at: datetime | None = _optional(_MOMENT)
    finished_at: datetime | None = _optional(_MOMENT)
    results_until: datetime | None = _optional(_MOMENT)
    waiting_reason: str | None = _optional(sa.Text)
    error: str | None = _optional(sa.Text)


class BatchProblemRow(Table, table=True):
    """A skipped row of a batch's file, with the reason."""

    __tablename__ = "batch_problems"

    batch_id: uuid.UUID = _key(sa.ForeignKey("batches.id", ondelete="CASCADE"))
    position: int = _key(sa.Integer)
    kind: str = _required(sa.Text)
    line: int | None = _optional(sa.Integer)
    column_name: str | None = _optional(sa.Text)
    value: str | None = _optional(sa.Text)
    message: str = _required(sa.Text)


class BatchUploadRow(Table, table=True):
    """The file and progress of a background batch.

    `join_key` identifies the request: the same file from the same client with the same options joins this
    batch, until it fails and the key is null. `claim` identifies the worker that owns the batch; a worker
    that finds another claim here has lost the batch and stops. `attempts` counts workers since the last
    progress. The next worker resumes at `songs_staged` and `state`, a `SongFileState`.
    """

    __tablename__ = "batch_uploads"

    batch_id: uuid.UUID = _key(sa.ForeignKey("batches.id", ondelete="CASCADE"))
    join_key: str | None = _optional(sa.Text, unique=True)
    size_bytes: int = _required(sa.BigInteger)
    on_invalid_row: str = _required(sa.Text)
    on_missing_value: str = _required(sa.Text, default="SKIP_ROW", server_default=sa.text("'SKIP_ROW'"))
    claim: uuid.UUID | None = _optional(sa.Uuid)
    attempts: int = _required(sa.Integer, default=0, server_default=_ZERO)
    songs_staged: int = _required(sa.BigInteger, default=0, server_default=_ZERO)
    state: dict[str, Any] | None = _optional(JSONB)
    stored_at: datetime = _required(_MOMENT)


class BatchUploadPartRow(Table, table=True):
    """A compressed part of a stored file; all but the last cover the same number of bytes."""

    __tablename__ = "batch_upload_parts"

    batch_id: uuid.UUID = _key(sa.ForeignKey("batch_uploads.batch_id", ondelete="CASCADE"))
    position: int = _key(sa.Integer, autoincrement=False)
    data: bytes = _required(sa.LargeBinary)


class BatchResultPartRow(Table, table=True):
    """A compressed part of a batch's results (`app.batches.song_parts`).

    `first_ordinal` is the position of the first song in the batch. `features` are those of the songs until
    the batch is stored. `left_out` are the ordinals of songs whose track ID a later row repeats.
    """

    __tablename__ = "batch_result_parts"

    batch_id: uuid.UUID = _key(sa.ForeignKey("batches.id", ondelete="CASCADE"))
    first_ordinal: int = _key(sa.BigInteger, autoincrement=False)
    songs: bytes = _required(sa.LargeBinary)
    features: bytes | None = _optional(sa.LargeBinary)
    left_out: list[int] | None = _optional(sa.ARRAY(sa.BigInteger))


def _index_of_some(kind: str, condition: str, *columns: str, **options: Any) -> sa.Index:
    """Return an index of the songs that meet a condition."""
    name = "_".join(("ix_songs", kind, *columns))
    return sa.Index(name, *columns, postgresql_where=sa.text(condition), **options)


_uncertain_index = partial(_index_of_some, "uncertain", "NOT confident")
_verified_index = partial(_index_of_some, "verified", "verified_genre IS NOT NULL")


class SongRow(Table, table=True):
    """A classified song.

    `probabilities` follow the order of the genres in the manifest of `model_version`. `title_folded` is the
    case-folded title for searches: PostgreSQL's lower() only handles ASCII in this collation.

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
        sa.Index(None, "title", "track_id"),
        sa.Index(None, "genre", "title", "track_id"),
        sa.Index(None, "batch_id", "title", "track_id"),
        sa.Index(None, "genre", "confidence", "track_id"),
        sa.Index(None, "batch_id", "confidence", "track_id"),
        _uncertain_index("genre", "title", "track_id"),
        _uncertain_index("batch_id", "title", "track_id"),
        _verified_index("title", "track_id"),
        _verified_index("track_id", postgresql_include=["verified_genre"]),
        sa.Index(
            "ix_songs_title_folded_trigrams",
            "title_folded",
            postgresql_using="gin",
            postgresql_ops={"title_folded": "gin_trgm_ops"},
        ),
    )

    track_id: int = _key(sa.BigInteger, autoincrement=False)
    title: str = _required(_SORTED_TEXT)
    title_folded: str = _required(_SORTED_TEXT)
    predicted_genre: str = _required(_SORTED_TEXT)
    verified_genre: str | None = _optional(_SORTED_TEXT)
    genre: str = _required(
        _SORTED_TEXT, sa.Computed("coalesce(verified_genre, predicted_genre)", persisted=True)
    )
    confidence: float = _required(sa.Double)
    confident: bool = _required(sa.Boolean, server_default=sa.text("true"))
    probabilities: list[float] = _required(sa.ARRAY(sa.Double))
    model_version: str = _required(sa.Text)
    batch_id: uuid.UUID = _required(sa.Uuid)
    classified_at: datetime = _required(_MOMENT)
    verified_by: str | None = _optional(sa.Text)
    verified_at: datetime | None = _optional(_MOMENT)
    verified_model_version: str | None = _optional(sa.Text)
    first_verified_at: datetime | None = _optional(_MOMENT)


class SongFeaturesRow(Table, table=True):
    """The features of a stored song: `numbers` are 154 little-endian float32 values.

    A trigger on `songs` deletes the features of deleted songs.
    """

    __tablename__ = "song_features"

    track_id: int = _key(sa.BigInteger, autoincrement=False)
    numbers: bytes = _required(sa.LargeBinary)
    tags: str = _required(_SORTED_TEXT)


class GenreCountRow(Table, table=True):
    """The number of stored songs of a genre, and how many of them are uncertain.

    Triggers on `songs` maintain the counts, so that reading them does not depend on the number of songs.
    """

    __tablename__ = "genre_counts"

    genre: str = _key(_SORTED_TEXT)
    song_count: int = _required(sa.BigInteger)
    uncertain_count: int = _required(sa.BigInteger, server_default=_ZERO)


class CatalogueVersionRow(Table, table=True):
    """The single row that identifies the state of `songs` and `genre_counts`; see `app.catalogue.service`.

    A trigger on `songs` changes it in each transaction that writes songs.
    """

    __tablename__ = "catalogue_version"
    __table_args__ = (sa.CheckConstraint("only_row", name="only_row"),)

    only_row: bool = _key(sa.Boolean, server_default=sa.text("true"))
    version: uuid.UUID = _required(sa.Uuid, server_default=sa.text("gen_random_uuid()"))
