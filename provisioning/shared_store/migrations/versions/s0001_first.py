"""The first tables: OSCORE numbers and reports. No program migrates to it; later revisions begin at it."""

from __future__ import annotations

revision = "servers 0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing: `firstboot serve init-database` made these tables."""
