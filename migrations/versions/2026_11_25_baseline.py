"""The tables of the first release."""

from __future__ import annotations

from alembic import op

revision = "2026_11_25_baseline"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE api_clients (
    name text COLLATE "C" NOT NULL CONSTRAINT pk_api_clients PRIMARY KEY,
    role text NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at timestamptz
);
CREATE TABLE api_client_secrets (
    id uuid NOT NULL CONSTRAINT pk_api_client_secrets PRIMARY KEY,
    client_name text COLLATE "C" NOT NULL CONSTRAINT fk_api_client_secrets_client_name_api_clients
        REFERENCES api_clients (name) ON DELETE CASCADE,
    secret_hash bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz
);
CREATE INDEX ix_api_client_secrets_client_name ON api_client_secrets (client_name);
CREATE TABLE models (
    version text NOT NULL CONSTRAINT pk_models PRIMARY KEY,
    manifest jsonb NOT NULL,
    registered_at timestamptz NOT NULL
);
CREATE TABLE batches (
    id uuid NOT NULL CONSTRAINT pk_batches PRIMARY KEY,
    file_name text,
    client_id text NOT NULL,
    status text NOT NULL,
    rows_uploaded integer NOT NULL,
    rows_processed integer NOT NULL DEFAULT 0,
    rows_with_missing_values integer NOT NULL,
    rows_classified_with_missing_values integer NOT NULL DEFAULT 0,
    rows_invalid integer NOT NULL,
    rows_duplicated integer NOT NULL,
    rows_classified integer NOT NULL,
    problem_count integer NOT NULL,
    min_confidence double precision NOT NULL DEFAULT 0,
    rows_uncertain integer NOT NULL DEFAULT 0,
    songs_superseded integer NOT NULL DEFAULT 0,
    genre_counts jsonb NOT NULL,
    drift jsonb,
    selection jsonb,
    model_version text NOT NULL CONSTRAINT fk_batches_model_version_models REFERENCES models (version),
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    results_until timestamptz,
    waiting_reason text,
    error text
);
CREATE INDEX ix_batches_created_at_id ON batches (created_at, id);
CREATE INDEX ix_batches_client_id_created_at_id ON batches (client_id, created_at, id);
CREATE TABLE batch_problems (
    batch_id uuid NOT NULL CONSTRAINT fk_batch_problems_batch_id_batches
        REFERENCES batches (id) ON DELETE CASCADE,
    position integer NOT NULL,
    kind text NOT NULL,
    line integer,
    column_name text,
    value text,
    message text NOT NULL,
    CONSTRAINT pk_batch_problems PRIMARY KEY (batch_id, position)
);
CREATE TABLE batch_uploads (
    batch_id uuid NOT NULL CONSTRAINT pk_batch_uploads PRIMARY KEY
        CONSTRAINT fk_batch_uploads_batch_id_batches REFERENCES batches (id) ON DELETE CASCADE,
    join_key text CONSTRAINT uq_batch_uploads_join_key UNIQUE,
    size_bytes bigint NOT NULL,
    on_invalid_row text NOT NULL,
    on_missing_value text NOT NULL DEFAULT 'SKIP_ROW',
    claim uuid,
    attempts integer NOT NULL DEFAULT 0,
    songs_staged bigint NOT NULL DEFAULT 0,
    state jsonb,
    stored_at timestamptz NOT NULL
);
CREATE TABLE batch_upload_parts (
    batch_id uuid NOT NULL CONSTRAINT fk_batch_upload_parts_batch_id_batch_uploads
        REFERENCES batch_uploads (batch_id) ON DELETE CASCADE,
    position integer NOT NULL,
    data bytea NOT NULL,
    CONSTRAINT pk_batch_upload_parts PRIMARY KEY (batch_id, position)
);
-- The data is already compressed.
ALTER TABLE batch_upload_parts ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE TABLE batch_result_parts (
    batch_id uuid NOT NULL CONSTRAINT fk_batch_result_parts_batch_id_batches
        REFERENCES batches (id) ON DELETE CASCADE,
    first_ordinal bigint NOT NULL,
    songs bytea NOT NULL,
    features bytea,
    left_out bigint[],
    CONSTRAINT pk_batch_result_parts PRIMARY KEY (batch_id, first_ordinal)
);
ALTER TABLE batch_result_parts ALTER COLUMN songs SET STORAGE EXTERNAL;
ALTER TABLE batch_result_parts ALTER COLUMN features SET STORAGE EXTERNAL;
CREATE TABLE songs (
    track_id bigint NOT NULL CONSTRAINT pk_songs PRIMARY KEY,
    title text COLLATE "C" NOT NULL,
    title_folded text COLLATE "C" NOT NULL,
    predicted_genre text COLLATE "C" NOT NULL,
    verified_genre text COLLATE "C",
    genre text COLLATE "C" NOT NULL GENERATED ALWAYS AS (coalesce(verified_genre, predicted_genre)) STORED,
    confidence double precision NOT NULL,
    confident boolean NOT NULL DEFAULT true,
    probabilities double precision[] NOT NULL,
    model_version text NOT NULL,
    batch_id uuid NOT NULL,
    classified_at timestamptz NOT NULL,
    verified_by text,
    verified_at timestamptz,
    verified_model_version text,
    first_verified_at timestamptz
);
CREATE INDEX ix_songs_title_track_id ON songs (title, track_id);
CREATE INDEX ix_songs_genre_title_track_id ON songs (genre, title, track_id);
CREATE INDEX ix_songs_batch_id_title_track_id ON songs (batch_id, title, track_id);
CREATE INDEX ix_songs_genre_confidence_track_id ON songs (genre, confidence, track_id);
CREATE INDEX ix_songs_batch_id_confidence_track_id ON songs (batch_id, confidence, track_id);
-- Partial indexes cost a merge nothing without a minimum confidence; full indexes that start with `confident`
-- would make it 50 % slower.
CREATE INDEX ix_songs_uncertain_genre_title_track_id ON songs (genre, title, track_id) WHERE NOT confident;
CREATE INDEX ix_songs_uncertain_batch_id_title_track_id ON songs (batch_id, title, track_id)
    WHERE NOT confident;
CREATE INDEX ix_songs_verified_title_track_id ON songs (title, track_id) WHERE verified_genre IS NOT NULL;
CREATE INDEX ix_songs_verified_track_id ON songs (track_id) INCLUDE (verified_genre)
    WHERE verified_genre IS NOT NULL;
CREATE INDEX ix_songs_title_folded_trigrams ON songs USING gin (title_folded gin_trgm_ops);
CREATE TABLE song_features (
    track_id bigint NOT NULL CONSTRAINT pk_song_features PRIMARY KEY,
    numbers bytea NOT NULL,
    tags text COLLATE "C" NOT NULL
);
CREATE TABLE genre_counts (
    genre text COLLATE "C" NOT NULL CONSTRAINT pk_genre_counts PRIMARY KEY,
    song_count bigint NOT NULL,
    uncertain_count bigint NOT NULL DEFAULT 0
);
CREATE TABLE catalogue_version (
    only_row boolean NOT NULL DEFAULT true CONSTRAINT pk_catalogue_version PRIMARY KEY
        CONSTRAINT ck_catalogue_version_only_row CHECK (only_row),
    version uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO catalogue_version DEFAULT VALUES
"""

# Two concurrent batches could lock rows of genre_counts in different orders (inserts and updates are two
# passes) and deadlock, so each counting transaction holds this lock until it commits. By then it has all
# the row locks on songs that it needs.
#
# The lock also prevents contention on the row of catalogue_version. `CatalogueVersion` in
# app/catalogue/service.py describes what the version guarantees.
FOLLOW_SONGS = """
CREATE FUNCTION follow_songs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('genregraph.genre_counts'));
    UPDATE catalogue_version SET version = gen_random_uuid();
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
        UPDATE batches SET songs_superseded = songs_superseded + gone.songs
        FROM (
            SELECT batch_id, -sum(change) AS songs
            FROM (
                SELECT batch_id, 1 AS change FROM new_songs
                UNION ALL
                SELECT batch_id, -1 FROM old_songs
            ) AS changes
            GROUP BY batch_id
            HAVING sum(change) < 0
        ) AS gone
        WHERE batches.id = gone.batch_id;
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
        DELETE FROM song_features AS kept USING old_songs WHERE kept.track_id = old_songs.track_id;
    ELSE
        DELETE FROM genre_counts;
        DELETE FROM song_features;
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

# The schema of pgqueuer 1.6.0, copied, because its install() may change with the version.
QUEUE = (
    """
    CREATE TYPE pgqueuer_status AS ENUM ('queued', 'picked', 'successful',
        'exception', 'canceled', 'deleted', 'failed')
    """,
    """
    CREATE TABLE pgqueuer (
        id bigserial NOT NULL PRIMARY KEY,
        priority integer NOT NULL,
        queue_manager_id uuid,
        created timestamp with time zone NOT NULL DEFAULT now(),
        updated timestamp with time zone NOT NULL DEFAULT now(),
        heartbeat timestamp with time zone NOT NULL DEFAULT now(),
        execute_after timestamp with time zone NOT NULL DEFAULT now(),
        status pgqueuer_status NOT NULL,
        entrypoint text NOT NULL,
        dedupe_key text,
        payload bytea,
        headers jsonb,
        attempts integer NOT NULL DEFAULT 0,
        slot bigint
    )
    """,
    """
    CREATE TABLE pgqueuer_log (
        id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL PRIMARY KEY,
        created timestamp with time zone NOT NULL DEFAULT now(),
        job_id bigint NOT NULL,
        status pgqueuer_status NOT NULL,
        priority integer NOT NULL,
        entrypoint text NOT NULL,
        traceback jsonb,
        aggregated boolean DEFAULT false
    )
    """,
    """
    CREATE TABLE pgqueuer_schedules (
        id bigserial NOT NULL PRIMARY KEY,
        expression text NOT NULL,
        entrypoint text NOT NULL,
        heartbeat timestamp with time zone NOT NULL DEFAULT now(),
        created timestamp with time zone NOT NULL DEFAULT now(),
        updated timestamp with time zone NOT NULL DEFAULT now(),
        next_run timestamp with time zone NOT NULL DEFAULT now(),
        last_run timestamp with time zone,
        status pgqueuer_status DEFAULT 'queued'::pgqueuer_status,
        UNIQUE (expression, entrypoint)
    )
    """,
    """
    CREATE TABLE pgqueuer_statistics (
        id bigserial NOT NULL PRIMARY KEY,
        created timestamp with time zone NOT NULL DEFAULT date_trunc('sec'::text, now()),
        count bigint NOT NULL,
        priority integer NOT NULL,
        status pgqueuer_status NOT NULL,
        entrypoint text NOT NULL
    )
    """,
    """
    CREATE INDEX pgqueuer_ep_ea_idx
        ON pgqueuer USING btree (entrypoint, execute_after)
        WHERE (status = 'queued'::pgqueuer_status)
    """,
    """
    CREATE INDEX pgqueuer_ep_prio_id_idx
        ON pgqueuer USING btree (entrypoint, priority DESC, id)
        WHERE (status = 'queued'::pgqueuer_status)
    """,
    """
    CREATE INDEX pgqueuer_log_created ON pgqueuer_log USING btree (created)
    """,
    """
    CREATE INDEX pgqueuer_log_job_id_status ON pgqueuer_log USING btree (job_id, created DESC)
    """,
    """
    CREATE INDEX pgqueuer_log_not_aggregated ON pgqueuer_log USING btree ((1)) WHERE (NOT aggregated)
    """,
    """
    CREATE INDEX pgqueuer_log_status ON pgqueuer_log USING btree (status)
    """,
    """
    CREATE INDEX pgqueuer_picked_heartbeat_idx
        ON pgqueuer USING btree (heartbeat)
        WHERE (status = 'picked'::pgqueuer_status)
    """,
    """
    CREATE UNIQUE INDEX pgqueuer_picked_slot_idx
        ON pgqueuer USING btree (entrypoint, slot)
        WHERE ((status = 'picked'::pgqueuer_status) AND (slot IS NOT NULL))
    """,
    """
    CREATE INDEX pgqueuer_priority_id_id1_idx
        ON pgqueuer USING btree (priority, id DESC) INCLUDE (id)
        WHERE (status = 'queued'::pgqueuer_status)
    """,
    """
    CREATE INDEX pgqueuer_queue_manager_id_idx
        ON pgqueuer USING btree (queue_manager_id)
        WHERE (queue_manager_id IS NOT NULL)
    """,
    """
    CREATE UNIQUE INDEX pgqueuer_statistics_unique_count
        ON pgqueuer_statistics USING btree
        (priority, date_trunc('sec'::text, timezone('UTC'::text, created)), status, entrypoint)
    """,
    """
    CREATE UNIQUE INDEX pgqueuer_unique_dedupe_key
        ON pgqueuer USING btree (dedupe_key)
        WHERE ((status = ANY (ARRAY['queued'::pgqueuer_status, 'picked'::pgqueuer_status]))
            AND (dedupe_key IS NOT NULL))
    """,
    """
    CREATE INDEX pgqueuer_updated_id_id1_idx
        ON pgqueuer USING btree (updated, id DESC) INCLUDE (id)
        WHERE (status = 'picked'::pgqueuer_status)
    """,
    """
    CREATE FUNCTION fn_pgqueuer_changed() RETURNS TRIGGER AS $$
    DECLARE
        to_emit BOOLEAN := false;  -- Flag to decide whether to emit a notification
    BEGIN
        -- Check operation type and set the emit flag accordingly
        IF TG_OP = 'UPDATE' AND OLD IS DISTINCT FROM NEW THEN
            to_emit := true;
        ELSIF TG_OP = 'DELETE' THEN
            to_emit := true;
        ELSIF TG_OP = 'INSERT' THEN
            to_emit := true;
        ELSIF TG_OP = 'TRUNCATE' THEN
            to_emit := true;
        END IF;

        -- Perform notification if the emit flag is set
        IF to_emit THEN
            PERFORM pg_notify(
                'ch_pgqueuer',
                json_build_object(
                    'channel', 'ch_pgqueuer',
                    'operation', lower(TG_OP),
                    'sent_at', NOW(),
                    'table', TG_TABLE_NAME,
                    'type', 'table_changed_event'
                )::text
            );
        END IF;

        -- Return appropriate value based on the operation
        IF TG_OP IN ('INSERT', 'UPDATE') THEN
            RETURN NEW;
        ELSIF TG_OP = 'DELETE' THEN
            RETURN OLD;
        ELSE
            RETURN NULL; -- For TRUNCATE and other non-row-specific contexts
        END IF;

    END;
    $$ LANGUAGE plpgsql
    """,
    """
    CREATE TRIGGER tg_pgqueuer_changed
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON pgqueuer
    EXECUTE FUNCTION fn_pgqueuer_changed()
    """,
)

DROPPED = (
    "songs",
    "song_features",
    "genre_counts",
    "catalogue_version",
    "batch_result_parts",
    "batch_upload_parts",
    "batch_uploads",
    "batch_problems",
    "batches",
    "models",
    "api_client_secrets",
    "api_clients",
    "pgqueuer",
    "pgqueuer_log",
    "pgqueuer_schedules",
    "pgqueuer_statistics",
)


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    op.execute(FOLLOW_SONGS)
    for event, transition_tables in TRIGGERS.items():
        op.execute(
            f"CREATE TRIGGER follow_songs_on_{event.lower()} AFTER {event} ON songs "
            f"{transition_tables} FOR EACH STATEMENT EXECUTE FUNCTION follow_songs()"
        )
    for statement in QUEUE:
        op.execute(statement)


def downgrade() -> None:
    # The extension stays: another application may use it by now.
    for table in DROPPED:
        op.drop_table(table)
    op.execute("DROP FUNCTION follow_songs(), fn_pgqueuer_changed()")
    op.execute("DROP TYPE pgqueuer_status")
