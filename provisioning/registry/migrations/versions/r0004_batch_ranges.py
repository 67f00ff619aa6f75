"""Ranges of serial numbers that only one batch uses; where a unit's keys were generated."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen the tables. Existing ranges are for any batch of their prefix."""
    with op.batch_alter_table("number_range") as change:
        change.add_column(sa.Column("batch", sa.String(32)))
    with op.batch_alter_table("unit") as change:
        change.add_column(sa.Column("key_origin", sa.String(16)))
