"""The states of a unit and its times under their present names.

A unit is complete and then passes; a batch ships; a unit is withdrawn; a code is generated. Each unit keeps
the time when it was shipped; the units of a shipped batch get the batch's time. Earlier schemas called a
complete unit "sealed" and a passed unit "released", which was also the word for batches and firmware.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("unit", "released_s", "passed_s"),
    ("unit", "revoked_s", "withdrawn_s"),
    ("batch", "released_s", "shipped_s"),
    ("code_fingerprint", "drawn_s", "generated_s"),
    ("branch", "bundle_number", "sync_number"),
)
_LIVE = sa.text("status IN ('reserved', 'complete', 'passed')")


def upgrade() -> None:
    """Rename columns and values. The index of live boards names the values, so it is created again."""
    op.add_column("unit", sa.Column("shipped_s", sa.BigInteger()))
    op.execute(
        sa.text(
            "UPDATE unit SET shipped_s = (SELECT released_s FROM batch WHERE batch.number = unit.batch)"
            " WHERE status = 'released'"
        )
    )
    op.drop_index("uq_unit_live_hardware_id", table_name="unit")
    for table, old, new in _COLUMNS:
        op.execute(sa.text(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}"))
    op.execute(sa.text("UPDATE unit SET status = 'complete' WHERE status = 'sealed'"))
    op.execute(sa.text("UPDATE unit SET status = 'passed' WHERE status = 'released'"))
    op.create_index(
        "uq_unit_live_hardware_id",
        "unit",
        ["hardware_id"],
        unique=True,
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
    )
