"""Songs, batches, models and the kept counts of genres."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_23_songs"
down_revision = None
branch_labels = None
depends_on = None

# Two batches that end together would take the rows of genre_counts in different orders (a batch's
# inserts and its updates are two passes) and deadlock, so whoever counts holds this lock until it
# commits. By then it has every row lock on songs that it needs.
COUNT_CHANGES = """
CREATE FUNCTION count_songs_by_genre() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('genregraph.genre_counts'));
    IF TG_OP = 'INSERT' THEN
        INSERT INTO genre_counts AS kept (genre, song_count)
        SELECT genre, count(*) FROM new_songs GROUP BY genre
        ON CONFLICT (genre) DO UPDATE SET song_count = kept.song_count + excluded.song_count;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO genre_counts AS kept (genre, song_count)
        SELECT genre, sum(change)
        FROM (
            SELECT genre, 1 AS change FROM new_songs
            UNION ALL
            SELECT genre, -1 FROM old_songs
        ) AS changes
        GROUP BY genre
        HAVING sum(change) <> 0
        ON CONFLICT (genre) DO UPDATE SET song_count = kept.song_count + excluded.song_count;
    ELSIF TG_OP = 'DELETE' THEN
        UPDATE genre_counts AS kept SET song_count = kept.song_count - gone.songs
        FROM (SELECT genre, count(*) AS songs FROM old_songs GROUP BY genre) AS gone
        WHERE kept.genre = gone.genre;
    ELSE
        DELETE FROM genre_counts;
    END IF;
    RETURN NULL;
END
$$
"""

TRIGGERS = {
    "INSERT": "REFERENCING NEW TABLE AS new_songs",
    "UPDATE": "REFERENCING NEW TABLE AS new_songs OLD TABLE AS old_songs",
    "DELETE": "REFERENCING OLD TABLE AS old_songs",
    "TRUNCATE": "",
}


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.create_table(
        "models",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("manifest", postgresql.JSONB(), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_models"),
    )
    op.create_table(
        "batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("file_name", sa.Text()),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("rows_uploaded", sa.Integer(), nullable=False),
        sa.Column("rows_with_missing_values", sa.Integer(), nullable=False),
        sa.Column("rows_invalid", sa.Integer(), nullable=False),
        sa.Column("rows_duplicated", sa.Integer(), nullable=False),
        sa.Column("rows_classified", sa.Integer(), nullable=False),
        sa.Column("problem_count", sa.Integer(), nullable=False),
        sa.Column("genre_counts", postgresql.JSONB(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("error", sa.Text()),
        sa.ForeignKeyConstraint(
            ["model_version"], ["models.version"], name="fk_batches_model_version_models"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
    )
    op.create_index("ix_batches_created_at_id", "batches", ["created_at", "id"])
    op.create_table(
        "batch_problems",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer()),
        sa.Column("column_name", sa.Text()),
        sa.Column("value", sa.Text()),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], ondelete="CASCADE", name="fk_batch_problems_batch_id_batches"
        ),
        sa.PrimaryKeyConstraint("batch_id", "position", name="pk_batch_problems"),
    )
    op.create_table(
        "songs",
        sa.Column("track_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("title", sa.Text(collation="C"), nullable=False),
        sa.Column("title_folded", sa.Text(collation="C"), nullable=False),
        sa.Column("genre", sa.Text(collation="C"), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("probabilities", sa.ARRAY(sa.Double()), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("classified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("track_id", name="pk_songs"),
    )
    op.create_index("ix_songs_title_track_id", "songs", ["title", "track_id"])
    op.create_index("ix_songs_genre_title_track_id", "songs", ["genre", "title", "track_id"])
    op.create_index("ix_songs_batch_id_title_track_id", "songs", ["batch_id", "title", "track_id"])
    op.create_index(
        "ix_songs_title_folded_trigrams",
        "songs",
        ["title_folded"],
        postgresql_using="gin",
        postgresql_ops={"title_folded": "gin_trgm_ops"},
    )
    op.create_table(
        "genre_counts",
        sa.Column("genre", sa.Text(collation="C"), nullable=False),
        sa.Column("song_count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("genre", name="pk_genre_counts"),
    )
    op.execute(COUNT_CHANGES)
    for event, transition_tables in TRIGGERS.items():
        op.execute(
            f"CREATE TRIGGER count_songs_by_genre_on_{event.lower()} AFTER {event} ON songs "
            f"{transition_tables} FOR EACH STATEMENT EXECUTE FUNCTION count_songs_by_genre()"
        )


def downgrade() -> None:
    # The extension stays: another application may use it by now.
    op.drop_table("songs")
    op.execute("DROP FUNCTION count_songs_by_genre()")
    op.drop_table("genre_counts")
    op.drop_table("batch_problems")
    op.drop_table("batches")
    op.drop_table("models")
