"""A release store in a server database: the same answers as a folder, whole releases, several publishers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from provisioning.release.folder_store import FolderStore
from provisioning.release.store import PublishError, ReleaseStore
from provisioning.shared_store.database import SharedDatabase, SharedStoreError
from provisioning.shared_store.places import is_database, release_stores, reports_at
from provisioning.shared_store.release_store import DatabaseStore
from provisioning.shared_store.reports import SharedReports
from tests.unit.provisioning.servers.test_serve_parts import CLASS_ID, release

OLD, NEW = release(1), release(2)
RECORDS = ("manifest", "support", "contact", "keyset")


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    found = str(tmp_path / "servers.db")
    if request.param == "postgresql":
        found = request.getfixturevalue("postgres_cluster").new_database()
    SharedDatabase.create(found).close()
    return found


@pytest.fixture
def database(address: str) -> Iterator[SharedDatabase]:
    found = SharedDatabase(address)
    yield found
    found.close()


@pytest.fixture
def store(database: SharedDatabase) -> DatabaseStore:
    return DatabaseStore(database, CLASS_ID)


def fill(store: ReleaseStore) -> ReleaseStore:
    store.put_release(OLD)
    store.put_support(b"support")
    store.put_contact(b"contact")
    store.put_keyset(b"key set")
    store.put_rollout(b"rollout")
    return store


def test_a_database_and_a_folder_give_the_same_answers(store: DatabaseStore, tmp_path: Path) -> None:
    folder = fill(FolderStore(tmp_path / "published", CLASS_ID))
    fill(store)
    objects = [f"o/{digest.hex()}" for digest in OLD.whole_objects()]
    for name in (*RECORDS, *objects, f"o/{'0' * 64}"):
        for start, length in ((0, 10), (3, 64), (0, 1 << 20), (1 << 20, 64), (0, 0)):
            assert store.part(name, start, length) == folder.part(name, start, length), (name, start)
        assert store.etag(name) == folder.etag(name)
        assert store.published(name) == folder.published(name)
        assert store.size(name) == folder.size(name)
    assert store.rollout() == folder.rollout() == b"rollout"
    assert store.totals() == folder.totals()


def test_a_name_that_is_not_published_has_no_part_and_reading_it_says_so(store: DatabaseStore) -> None:
    assert store.part("manifest", 0, 10) is None and store.etag("manifest") is None
    with pytest.raises(FileNotFoundError, match="not published"):
        store.read("manifest")


@pytest.mark.parametrize("name", ["rollout", "rollout.json", "../manifest", "o/..", "", "o/" + "A" * 64])
def test_other_names_are_neither_served_nor_published(store: DatabaseStore, name: str) -> None:
    store.put_rollout(b"rollout")
    assert store.part(name, 0, 10) is None
    with pytest.raises(PublishError):
        store.put_raw(name, b"x")


def test_a_release_that_fails_at_its_manifest_leaves_the_one_before_whole(
    store: DatabaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put_release(OLD)
    before = store.totals()
    put = store._put

    def fails(connection: object, name: str, data: bytes) -> None:
        if name == "manifest":
            raise RuntimeError("killed")
        put(connection, name, data)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        patch.setattr(store, "_put", fails)
        store.put_release(NEW)
    assert store.read("manifest") == OLD.envelope and store.totals() == before
    assert store.remove_superseded() == []


def test_only_what_the_manifest_does_not_need_is_removed(
    store: DatabaseStore, database: SharedDatabase
) -> None:
    other = DatabaseStore(database, b"\x01" * 16)
    other.put_release(OLD)
    fill(store)
    store.put_release(NEW)
    kept = set(NEW.whole_objects())
    gone = [f"o/{one.hex()}" for one in OLD.whole_objects() if one not in kept]
    assert gone and store.remove_superseded() == sorted(gone)
    assert store.remove_superseded() == []
    for digest, data in NEW.whole_objects().items():
        assert store.read(f"o/{digest.hex()}") == data
    for digest, data in OLD.whole_objects().items():
        assert other.read(f"o/{digest.hex()}") == data
    assert store.published("support") == b"support" and store.rollout() == b"rollout"


def test_two_publishers_of_a_class_leave_one_whole_release(store: DatabaseStore, address: str) -> None:
    errors: list[BaseException] = []

    def publish(number: int) -> None:
        database = SharedDatabase(address)
        try:
            own = DatabaseStore(database, CLASS_ID)
            for _ in range(5):
                own.put_release((OLD, NEW)[number])
                own.remove_superseded()
        except BaseException as error:
            errors.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=publish, args=(number,)) for number in (0, 1)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert errors == []
    found = OLD if store.read("manifest") == OLD.envelope else NEW
    for digest, data in found.whole_objects().items():
        assert store.read(f"o/{digest.hex()}") == data


def test_a_rollout_that_is_removed_is_gone(store: DatabaseStore) -> None:
    store.put_rollout(b"one")
    store.put_rollout(None)
    store.put_rollout(None)
    assert store.rollout() is None


def test_a_database_of_the_first_version_gets_the_new_table_and_keeps_its_reports(
    address: str, database: SharedDatabase
) -> None:
    SharedReports(database).append("ab" * 16, "mqtt", b"\x01")
    with database.changing() as connection:
        connection.execute(text("DROP TABLE published"))
        connection.execute(text("UPDATE alembic_version SET version_num = 'servers 0001'"))
    database.close()
    opened = SharedDatabase(address)
    fill(DatabaseStore(opened, CLASS_ID))
    assert [one["report"] for one in SharedReports(opened).entries()] == ["01"] and opened.id == database.id
    with opened.reading() as connection:
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    opened.close()
    assert version == "servers 0002"


def test_postgresql_keeps_objects_without_compression_in_new_and_in_migrated_databases(
    request: pytest.FixtureRequest,
) -> None:
    address = request.getfixturevalue("postgres_cluster").new_database()
    database = SharedDatabase.create(address)
    query = text(
        "SELECT attstorage FROM pg_attribute WHERE attrelid = 'published'::regclass AND attname = 'data'"
    )
    with database.changing() as connection:
        assert connection.execute(query).scalar_one() in ("e", b"e")
        connection.execute(text("DROP TABLE published"))
        connection.execute(text("UPDATE alembic_version SET version_num = 'servers 0001'"))
    database.close()
    opened = SharedDatabase(address)
    with opened.reading() as connection:
        assert connection.execute(query).scalar_one() in ("e", b"e")
    opened.close()


def test_a_place_is_a_database_by_its_address_or_by_what_its_file_holds(address: str, tmp_path: Path) -> None:
    (tmp_path / "reports.jsonl").write_text("{}\n")
    assert is_database(address) and is_database("postgresql://nobody@127.0.0.1:1/none")
    assert not any(
        map(is_database, [str(tmp_path), str(tmp_path / "reports.jsonl"), str(tmp_path / "missing")])
    )
    assert isinstance(release_stores(address)(CLASS_ID), DatabaseStore)
    assert isinstance(release_stores(str(tmp_path))(CLASS_ID), FolderStore)
    assert isinstance(reports_at(address), SharedReports)


@pytest.mark.parametrize("name", ["servres.db", "servers.sqlite", "servers.sqlite3"])
def test_a_mistyped_database_is_refused_and_makes_no_folder(tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    for opened in (release_stores, reports_at):
        with pytest.raises(SharedStoreError, match="there is no server database"):
            opened(str(place))
    assert not place.exists()
    place.mkdir()
    assert isinstance(release_stores(str(place))(CLASS_ID), FolderStore)


def test_a_sqlite_file_of_something_else_is_refused(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE note (x)")
    with pytest.raises(SharedStoreError):
        release_stores(str(path))
