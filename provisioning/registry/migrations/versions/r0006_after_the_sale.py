"""The parties that units are shipped to, and the batches that an investigation keeps from shipping."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the two tables."""
    op.create_table(
        "consignee",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("address", sa.String(400), nullable=False),
        sa.Column("email", sa.String(320)),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("recorded_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", "version", name="pk_consignee"),
    )
    op.create_table(
        "sale_stop",
        sa.Column("case_code", sa.String(16), nullable=False),
        sa.Column("batch", sa.String(32), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("since_s", sa.BigInteger(), nullable=False),
        sa.Column("ended_s", sa.BigInteger()),
        sa.PrimaryKeyConstraint("case_code", "batch", name="pk_sale_stop"),
    )
