"""How many songs of a batch were unlike those that the model was trained on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_23_drift"
down_revision = "2026_11_23_clients"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Without a value in the batches there are, and in those of the release before.
    op.add_column("batches", sa.Column("drift", postgresql.JSONB()))


def downgrade() -> None:
    op.drop_column("batches", "drift")
