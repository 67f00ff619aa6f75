"""Many stations: chains with signatures, checkpoints, leased numbers, branches, quarantine, sealed secrets.

Earlier production records stay as they are, in a chain called "unsigned" to which nothing is appended.
"""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SECONDS = (
    ("batch", "opened_s", False), ("unit", "reserved_s", False), ("unit", "released_s", True),
    ("code_fingerprint", "drawn_s", False), ("phase_entry", "ended_s", False),
)  # fmt: skip


def upgrade() -> None:
    """Create the new tables, widen the old ones, move the old chain."""
    for table, column, is_nullable in SECONDS:
        with op.batch_alter_table(table) as change:
            change.alter_column(column, type_=sa.BigInteger(), existing_nullable=is_nullable)
    with op.batch_alter_table("batch") as change:
        change.add_column(sa.Column("released_s", sa.BigInteger()))
    with op.batch_alter_table("unit") as change:
        change.drop_constraint("uq_unit_hardware_id", type_="unique")
        change.alter_column("serial", type_=sa.String(80), existing_nullable=False)
        change.add_column(sa.Column("note", sa.String(400)))
        change.add_column(sa.Column("revoked_s", sa.BigInteger()))
    op.create_index("ix_unit_hardware_id", "unit", ["hardware_id"])
    op.create_index("ix_unit_batch", "unit", ["batch"])
    live = sa.text("status IN ('reserved', 'sealed', 'released')")
    op.create_index(
        "uq_unit_live_hardware_id",
        "unit",
        ["hardware_id"],
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )
    _new_tables()
    _move_chain()
    setting = sa.table("setting", sa.column("name", sa.String), sa.column("value", sa.LargeBinary))
    op.execute(setting.delete().where(setting.c.name == "schema"))
    op.execute(setting.insert().values(name="registry id", value=secrets.token_bytes(16)))


def _new_tables() -> None:
    op.create_table(
        "number_range",
        sa.Column("prefix", sa.String(12), nullable=False),
        sa.Column("first_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.Column("next_number", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(48), nullable=False),
        sa.PrimaryKeyConstraint("prefix", "first_number", name="pk_number_range"),
    )
    op.create_table(
        "branch",
        sa.Column("name", sa.String(48), nullable=False),
        sa.Column("registry_id", sa.LargeBinary(16), nullable=False),
        sa.Column("synced_s", sa.BigInteger()),
        sa.Column("last_phase", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_branch"),
        sa.UniqueConstraint("registry_id", name="uq_branch_registry_id"),
    )
    op.create_table(
        "branch_batch",
        sa.Column("branch", sa.String(48), nullable=False),
        sa.Column("batch", sa.String(32), nullable=False),
        sa.Column("is_done", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["branch"], ["branch.name"], name="fk_branch_batch_branch"),
        sa.ForeignKeyConstraint(["batch"], ["batch.number"], name="fk_branch_batch_batch"),
        sa.PrimaryKeyConstraint("branch", "batch", name="pk_branch_batch"),
    )
    op.create_table(
        "sealed_secret",
        sa.Column("device_id", sa.LargeBinary(16), nullable=False),
        sa.Column("server_key_id", sa.LargeBinary(8), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", name="pk_sealed_secret"),
    )
    op.create_table(
        "checkpoint",
        sa.Column("registry_id", sa.LargeBinary(16), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("registry_id", "number", name="pk_checkpoint"),
    )
    op.create_table(
        "incident",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("batch", sa.String(32), nullable=False),
        sa.Column("text", sa.String(400), nullable=False),
        sa.Column("found_s", sa.BigInteger(), nullable=False),
        sa.Column("settled_by", sa.String(200)),
        sa.PrimaryKeyConstraint("id", name="pk_incident"),
    )
    op.create_index("ix_incident_batch", "incident", ["batch"])


def _move_chain() -> None:
    op.create_table(
        "chain",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("station", sa.String(48), nullable=False),
        sa.Column("public_key", sa.LargeBinary(65), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_chain"),
    )
    chain = sa.table(
        "chain",
        sa.column("name", sa.String),
        sa.column("station", sa.String),
        sa.column("public_key", sa.LargeBinary),
        sa.column("is_open", sa.Boolean),
    )
    old = sa.table("production_record", sa.column("number"))
    if op.get_bind().execute(sa.select(old.c.number).limit(1)).first() is not None:
        unsigned = {"name": "unsigned", "station": "unsigned", "public_key": b"", "is_open": False}
        op.bulk_insert(chain, [unsigned])
    # Copy the rows first: names of constraints belong to the whole schema in PostgreSQL, so the old table
    # must go before the new one exists.
    columns = "number, unit_id, body, previous_hash, hash"
    op.execute(f"CREATE TABLE old_record AS SELECT {columns} FROM production_record")  # noqa: S608 - constants
    op.drop_table("production_record")
    op.create_table(
        "production_record",
        sa.Column("chain", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("signature", sa.LargeBinary(64), nullable=False),
        sa.ForeignKeyConstraint(["chain"], ["chain.name"], name="fk_production_record_chain"),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name="fk_production_record_unit_id"),
        sa.PrimaryKeyConstraint("chain", "number", name="pk_production_record"),
        sa.UniqueConstraint("unit_id", name="uq_production_record_unit_id"),
    )
    empty = "''::bytea" if op.get_bind().dialect.name == "postgresql" else "x''"
    op.execute(
        f"INSERT INTO production_record (chain, {columns}, signature)"  # noqa: S608 - constants
        f" SELECT 'unsigned', {columns}, {empty} FROM old_record"
    )
    op.drop_table("old_record")
