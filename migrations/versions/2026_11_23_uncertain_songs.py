"""Songs below a batch's minimum confidence are uncertain, and counted by genre."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_23_uncertain"
down_revision = "2026_11_23_songs"
branch_labels = None
depends_on = None

# Defaults stay in the database: the previous release, which may still run beside this one, writes rows
# without the new columns.

# The lock and its reason are those of the revision before.
COUNT_CHANGES = """
CREATE OR REPLACE FUNCTION count_songs_by_genre() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('genregraph.genre_counts'));
    IF TG_OP = 'INSERT' THEN
        INSERT INTO genre_counts AS kept (genre, song_count, uncertain_count)
        SELECT genre, count(*), count(*) FILTER (WHERE NOT confident) FROM new_songs GROUP BY genre
        ON CONFLICT (genre) DO UPDATE SET
            song_count = kept.song_count + excluded.song_count,
            uncertain_count = kept.uncertain_count + excluded.uncertain_count;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO genre_counts AS kept (genre, song_count, uncertain_count)
        SELECT genre, sum(change), coalesce(sum(change) FILTER (WHERE NOT confident), 0)
        FROM (
            SELECT genre, confident, 1 AS change FROM new_songs
            UNION ALL
            SELECT genre, confident, -1 FROM old_songs
        ) AS changes
        GROUP BY genre
        HAVING sum(change) <> 0 OR sum(change) FILTER (WHERE NOT confident) <> 0
        ON CONFLICT (genre) DO UPDATE SET
            song_count = kept.song_count + excluded.song_count,
            uncertain_count = kept.uncertain_count + excluded.uncertain_count;
    ELSIF TG_OP = 'DELETE' THEN
        UPDATE genre_counts AS kept SET
            song_count = kept.song_count - gone.songs,
            uncertain_count = kept.uncertain_count - gone.uncertain
        FROM (
            SELECT genre, count(*) AS songs, count(*) FILTER (WHERE NOT confident) AS uncertain
            FROM old_songs
            GROUP BY genre
        ) AS gone
        WHERE kept.genre = gone.genre;
    ELSE
        DELETE FROM genre_counts;
    END IF;
    RETURN NULL;
END
$$
"""

COUNT_CHANGES_BEFORE = """
CREATE OR REPLACE FUNCTION count_songs_by_genre() RETURNS trigger LANGUAGE plpgsql AS $$
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

UNCERTAIN_INDEXES = {
    "ix_songs_uncertain_title_track_id": ["title", "track_id"],
    "ix_songs_uncertain_genre_title_track_id": ["genre", "title", "track_id"],
    "ix_songs_uncertain_batch_id_title_track_id": ["batch_id", "title", "track_id"],
}


def upgrade() -> None:
    op.add_column(
        "batches", sa.Column("min_confidence", sa.Double(), nullable=False, server_default=sa.text("0"))
    )
    op.add_column(
        "batches", sa.Column("rows_uncertain", sa.Integer(), nullable=False, server_default=sa.text("0"))
    )
    op.add_column(
        "songs", sa.Column("confident", sa.Boolean(), nullable=False, server_default=sa.text("true"))
    )
    op.add_column(
        "genre_counts",
        sa.Column("uncertain_count", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
    )
    op.execute(COUNT_CHANGES)
    # Partial: where no minimum is asked for they cost a merge nothing, while full indexes that start with
    # `confident` would make it half as long again.
    for name, columns in UNCERTAIN_INDEXES.items():
        op.create_index(name, "songs", columns, postgresql_where=sa.text("NOT confident"))


def downgrade() -> None:
    op.execute(COUNT_CHANGES_BEFORE)
    op.drop_column("genre_counts", "uncertain_count")
    for name in UNCERTAIN_INDEXES:
        op.drop_index(name, "songs")
    op.drop_column("songs", "confident")
    op.drop_column("batches", "rows_uncertain")
    op.drop_column("batches", "min_confidence")
