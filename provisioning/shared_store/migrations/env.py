"""Alembic's entry point: runs the migrations on the connection that provisioning/registry/schema.py hands over."""

from __future__ import annotations

from alembic import context

from provisioning.shared_store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by replacing it
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
