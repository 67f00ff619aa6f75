"""Opening and creating a registry: only `init` creates one, and a failure is never reported as absence."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest

from provisioning.registry import engine
from provisioning.registry.errors import RegistryError
from provisioning.registry.registry import Registry
from tests.postgres import Cluster
from tests.unit.provisioning.registry.registry_bench import Places, open_batch, reserve


def test_a_mistyped_name_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"there is no registry .*firstboot registry init"):
        Registry(tmp_path / "line" / "registri.db")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_database_of_a_server_is_refused_and_stays_empty(
    postgres_cluster: Cluster, tmp_path: Path
) -> None:
    address = postgres_cluster.new_database()
    with pytest.raises(RegistryError, match="there is no registry"):
        Registry(address, files=tmp_path / "files")
    assert not (tmp_path / "files").exists()
    Registry.create(address, files=tmp_path / "files").close()  # nothing was left in it


@pytest.fixture(params=["sqlite", "postgresql"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Places:
    is_sqlite = request.param == "sqlite"
    return Places(tmp_path, None if is_sqlite else request.getfixturevalue("postgres_cluster"))


def test_an_existing_registry_is_not_created_again(places: Places) -> None:
    registry = places.new()
    open_batch(registry)
    first = reserve(registry, 1, "code1").serial
    location = registry.database.location
    address = location.file or location.url
    registry.close()
    with pytest.raises(RegistryError, match="already"):
        Registry.create(address, files=location.folder)
    again = Registry.create(address, files=location.folder, exist_ok=True)
    assert again.units()[0].serial == first
    again.close()


def test_a_stopped_server_is_named_and_not_called_a_missing_registry(
    postgres_cluster: Cluster, tmp_path: Path
) -> None:
    address = postgres_cluster.new_database()
    Registry.create(address, files=tmp_path).close()
    postgres_cluster.stop("fast")
    try:
        with pytest.raises(RegistryError, match="cannot be opened") as caught:
            Registry(address, files=tmp_path)
    finally:
        postgres_cluster.start()
    assert "no registry" not in str(caught.value) and "connection" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "step"),
    [
        ("SQLITE_FULL", "database or disk is full", "free space"),
        ("SQLITE_READONLY_DIRECTORY", "attempt to write a readonly database", "writable"),
        ("SQLITE_CANTOPEN", "unable to open database file", "may write"),
        ("SQLITE_BUSY", "database is locked", "another program"),
    ],
)
def test_a_disk_that_fails_at_the_start_is_named_with_the_next_step(
    name: str, text: str, step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Registry.create(tmp_path / "registry.db").close()

    def fail(*_: object) -> None:
        error = sqlite3.OperationalError(text)
        error.sqlite_errorname = name
        raise error

    monkeypatch.setattr(engine, "_on_begin", fail)
    with pytest.raises(RegistryError, match=f"cannot be opened: {text}; .*{step}") as caught:
        Registry(tmp_path / "registry.db")
    assert "no registry" not in str(caught.value)


def test_a_file_that_may_not_be_looked_at_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "registry.db"
    Registry.create(path).close()
    real = Path.stat

    def refuse(self: Path, **options: bool) -> object:
        if self == path:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(self, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(RegistryError, match="cannot be read: Permission denied"):
        Registry(path)


def test_a_text_file_is_not_a_registry(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database " * 100)
    with pytest.raises(RegistryError, match="is not a registry, or it is damaged"):
        Registry(tmp_path / "notes.txt")
