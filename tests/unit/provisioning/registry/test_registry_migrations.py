"""Migrations: an old registry becomes a new one with all its data, and its schema then equals the models."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from provisioning.registry import migrations, schema
from provisioning.registry.chains import GENESIS, entry_hash
from provisioning.registry.database import open_database
from provisioning.registry.fingerprint_key import fingerprint
from provisioning.registry.location import Location
from provisioning.registry.models import Base
from provisioning.registry.registry import Registry
from tests.unit.provisioning.registry.registry_bench import Places, finish

KEY = bytes(range(32))


@pytest.fixture(params=["sqlite", "postgresql"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Places:
    is_sqlite = request.param == "sqlite"
    return Places(tmp_path, None if is_sqlite else request.getfixturevalue("postgres_cluster"))


def fill_first_schema(connection: Connection) -> None:
    """A registry of the first kind with one released unit and one record."""
    schema.migrate(connection, "", "0001")
    body = '{"number": 1, "serial": "SN-000001"}'
    values = {
        "key": fingerprint(KEY, "registry key check", b""),
        "zeros": bytes(32), "id1": bytes(16), "id2": b"d" * 16,
        "mark": fingerprint(KEY, "set-up code", b"code1"), "genesis": GENESIS, "hash": entry_hash(GENESIS, body),
        "body": body, "schema": b"1", "yes": True, "no": False,
    }  # fmt: skip
    for statement in (
        "INSERT INTO setting VALUES ('schema', :schema)",
        "INSERT INTO setting VALUES ('key check', :key)",
        "INSERT INTO batch VALUES ('B1', 'M', :zeros, :no, :no, 900)",
        "INSERT INTO serial_counter VALUES ('SN-', 2)",
        "INSERT INTO unit (hardware_id, device_id, serial, batch, status, is_development, reserved_s, released_s)"
        " VALUES (:id1, :id2, 'SN-000001', 'B1', 'released', :no, 950, 960)",
        "INSERT INTO code_fingerprint VALUES (:mark, 1, :yes, 950)",
        "INSERT INTO production_record VALUES (1, 1, :body, :genesis, :hash)",
    ):
        connection.execute(text(statement), values)
    connection.execute(text("DROP TABLE alembic_version"))  # those registries had none


def old_registry(places: Places) -> tuple[Path | str, Path]:
    address, files = places.place()
    location = Location.of(address, files)
    files.mkdir()
    location.key_path.touch(mode=0o600)
    location.key_path.write_bytes(KEY)
    engine = create_engine(location.url)
    with engine.begin() as connection:
        fill_first_schema(connection)
    engine.dispose()
    return address, files


def test_a_registry_of_the_first_kind_is_migrated_with_everything_in_it(places: Places) -> None:
    address, files = old_registry(places)
    registry = Registry(address, files=files, now=lambda: 1000)
    unit = registry.find(serial="SN-000001")
    assert unit is not None and (unit.status, unit.passed_s) == ("passed", 960)
    assert registry.is_live_code(unit.id, "code1")
    assert registry.verify().chains == {"unsigned": 1}
    assert finish(registry, 5, "code2").serial == "SN-000002"
    assert registry.verify().chains == {"station": 1, "unsigned": 1}
    registry.close()


def test_migrations_end_where_the_models_are(places: Places) -> None:
    address, files = old_registry(places)
    Registry(address, files=files).close()
    database = open_database(Location.of(address, files))
    with database.engine.connect() as connection:
        # SQLite has no types worth comparing; PostgreSQL's are compared.
        is_typed = connection.dialect.name == "postgresql"
        context = MigrationContext.configure(connection, opts={"compare_type": is_typed})
        differences = compare_metadata(context, Base.metadata)
    database.engine.dispose()
    assert [entry for entry in differences if "alembic_version" not in str(entry)] == []


def test_the_newest_migration_is_the_one_that_new_registries_name() -> None:
    script = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert script.get_current_head() == schema.HEAD
    assert tuple(sorted(entry.revision for entry in script.walk_revisions())) == schema.KNOWN


def test_a_migration_that_fails_leaves_the_old_registry(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, files = old_registry(places)

    def burst(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("secrets.token_bytes", burst)  # the last query of the migration
        with pytest.raises(KeyboardInterrupt):
            Registry(address, files=files)
    assert Registry(address, files=files).verify().chains == {"unsigned": 1}
