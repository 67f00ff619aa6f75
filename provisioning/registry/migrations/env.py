"""Alembic's entry: runs the migrations on the connection that provisioning/registry/schema.py hands over."""

from __future__ import annotations

from alembic import context

from provisioning.registry.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by making it anew
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
