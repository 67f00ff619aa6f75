"""The published files of each product class."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "servers 0002"
down_revision = "servers 0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "published",
        sa.Column("class_id", sa.LargeBinary(16), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("is_needed", sa.Boolean(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("class_id", "name", name="pk_published"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE published ALTER COLUMN data SET STORAGE EXTERNAL")
