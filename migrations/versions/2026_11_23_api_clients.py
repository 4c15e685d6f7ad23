"""Clients and their secrets, and an index for the batches of one client."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_23_clients"
down_revision = "2026_11_23_background"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "api_clients",
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("last_used_at", moment),
        sa.Column("revoked_at", moment),
        sa.PrimaryKeyConstraint("name", name="pk_api_clients"),
    )
    op.create_table(
        "api_client_secrets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_name", sa.Text(collation="C"), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("expires_at", moment),
        sa.PrimaryKeyConstraint("id", name="pk_api_client_secrets"),
        sa.ForeignKeyConstraint(
            ["client_name"],
            ["api_clients.name"],
            name="fk_api_client_secrets_client_name_api_clients",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_api_client_secrets_client_name", "api_client_secrets", ["client_name"])
    op.create_index("ix_batches_client_id_created_at_id", "batches", ["client_id", "created_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_batches_client_id_created_at_id", "batches")
    op.drop_table("api_client_secrets")
    op.drop_table("api_clients")
