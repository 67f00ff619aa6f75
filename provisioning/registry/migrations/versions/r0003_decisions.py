"""Decisions as signed records; what the main registry knows of a branch that syncs by files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the new table and widen the table of branches."""
    op.create_table(
        "decision_record",
        sa.Column("chain", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("signature", sa.LargeBinary(64), nullable=False),
        sa.ForeignKeyConstraint(["chain"], ["chain.name"], name="fk_decision_record_chain"),
        sa.PrimaryKeyConstraint("chain", "number", name="pk_decision_record"),
    )
    with op.batch_alter_table("branch") as change:
        change.add_column(sa.Column("public_key", sa.LargeBinary(65)))
        change.add_column(sa.Column("bundle_number", sa.Integer()))
