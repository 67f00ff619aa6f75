"""The tables of the first registries: one SQLite file, one chain, no signatures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "setting",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_setting"),
    )
    op.create_table(
        "batch",
        sa.Column("number", sa.String(32), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("declared_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("is_development", sa.Boolean(), nullable=False),
        sa.Column("is_closed", sa.Boolean(), nullable=False),
        sa.Column("opened_s", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_batch"),
    )
    op.create_table(
        "document",
        sa.Column("batch", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["batch"], ["batch.number"], name="fk_document_batch"),
        sa.PrimaryKeyConstraint("batch", "kind", name="pk_document"),
    )
    op.create_table(
        "serial_counter",
        sa.Column("prefix", sa.String(12), nullable=False),
        sa.Column("next_number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("prefix", name="pk_serial_counter"),
    )
    _unit()
    _unit_children()


def _unit() -> None:
    op.create_table(
        "unit",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("hardware_id", sa.LargeBinary(16), nullable=False),
        sa.Column("device_id", sa.LargeBinary(16), nullable=False),
        sa.Column("serial", sa.String(32), nullable=False),
        sa.Column("batch", sa.String(32), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("is_development", sa.Boolean(), nullable=False),
        sa.Column("reserved_s", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(32)),
        sa.Column("image_digest", sa.LargeBinary(32)),
        sa.Column("device_certificate", sa.LargeBinary()),
        sa.Column("web_fingerprint", sa.LargeBinary(32)),
        sa.Column("record_hash", sa.LargeBinary(32)),
        sa.Column("statement_sha256", sa.LargeBinary(32)),
        sa.Column("support_end_day", sa.Integer()),
        sa.Column("label_mac", sa.LargeBinary(32)),
        sa.Column("label_name", sa.String(64)),
        sa.Column("released_s", sa.Integer()),
        sa.ForeignKeyConstraint(["batch"], ["batch.number"], name="fk_unit_batch"),
        sa.PrimaryKeyConstraint("id", name="pk_unit"),
        sa.UniqueConstraint("hardware_id", name="uq_unit_hardware_id"),
        sa.UniqueConstraint("device_id", name="uq_unit_device_id"),
        sa.UniqueConstraint("serial", name="uq_unit_serial"),
    )


def _unit_children() -> None:
    op.create_table(
        "code_fingerprint",
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.Column("drawn_s", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name="fk_code_fingerprint_unit_id"),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_code_fingerprint"),
    )
    op.create_index("ix_code_fingerprint_unit_id", "code_fingerprint", ["unit_id"])
    op.create_table(
        "phase_entry",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("run", sa.String(32), nullable=False),
        sa.Column("unit_id", sa.Integer()),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("measurements", sa.String(), nullable=False),
        sa.Column("error", sa.String()),
        sa.Column("ended_s", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name="fk_phase_entry_unit_id"),
        sa.PrimaryKeyConstraint("id", name="pk_phase_entry"),
    )
    op.create_index("ix_phase_entry_run", "phase_entry", ["run"])
    op.create_index("ix_phase_entry_unit_id", "phase_entry", ["unit_id"])
    op.create_table(
        "production_record",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name="fk_production_record_unit_id"),
        sa.PrimaryKeyConstraint("number", name="pk_production_record"),
        sa.UniqueConstraint("unit_id", name="uq_production_record_unit_id"),
    )
