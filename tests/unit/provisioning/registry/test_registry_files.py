"""A registry's files: its key, its modes, its schema; refusals when it is opened."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from provisioning import fair_time
from provisioning.registry.errors import RegistryError
from provisioning.registry.fingerprint_key import create_private
from provisioning.registry.location import Location
from provisioning.registry.registry import Registry
from tests.patience import joined
from tests.unit.provisioning.registry.registry_bench import finish, open_batch, reserve


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "registry.db"


@pytest.fixture
def registry(path: Path) -> Registry:
    registry = Registry.create(path, now=lambda: 1000)
    open_batch(registry)
    return registry


def test_no_code_is_in_the_file(path: Path, registry: Registry) -> None:
    finish(registry, 1, "CANARYCANARYCANARY")
    registry.close()
    for file in path.parent.iterdir():
        assert b"CANARY" not in file.read_bytes()


def test_a_registry_without_its_key_is_refused(path: Path, registry: Registry) -> None:
    registry.close()
    path.with_suffix(".db.key").unlink()
    with pytest.raises(RegistryError, match="restore it"):
        Registry(path)


def test_the_key_of_another_registry_is_refused(path: Path, registry: Registry) -> None:
    registry.close()
    path.with_suffix(".db.key").write_bytes(bytes(32))
    with pytest.raises(RegistryError, match="not the key of this registry"):
        Registry(path)


def test_a_key_that_others_can_read_is_refused(path: Path, registry: Registry) -> None:
    registry.close()
    path.with_suffix(".db.key").chmod(0o640)
    with pytest.raises(RegistryError, match="0600"):
        Registry(path)


def test_only_their_owner_can_read_files(path: Path, registry: Registry) -> None:
    reserve(registry, 1, "code1")
    assert {oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir()} == {"0o600"}


def test_a_file_that_is_no_registry_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(RegistryError, match="not a registry"):
        Registry(path)


def test_a_registry_of_another_version_is_refused(path: Path, registry: Registry) -> None:
    registry.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(RegistryError, match="another version"):
        Registry(path)


def test_a_start_that_died_before_its_first_commit_is_repeated(path: Path) -> None:
    path.touch(mode=0o600)
    path.with_suffix(".db.key").touch(mode=0o600)
    path.with_suffix(".db.key").write_bytes(b"k" * 32)
    with pytest.raises(RegistryError, match="there is no registry"):
        Registry(path)
    Registry.create(path).open_batch("B1", "M", bytes(32), is_development=False)


# Its place ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["postgresql://line1:secret@db/registry", "mysql://db/registry", "postgresql://db:port/registry"],
    ids=["password", "other kind", "no address"],
)
def test_an_address_that_is_not_fit_is_refused_without_its_password(address: str, tmp_path: Path) -> None:
    with pytest.raises(RegistryError) as caught:
        Location.of(address, tmp_path)
    assert "secret" not in str(caught.value)


def test_a_registry_in_postgresql_needs_a_folder_for_its_keys() -> None:
    with pytest.raises(RegistryError, match="folder for its key files"):
        Location.of("postgresql://db/registry")


def test_a_file_that_was_deleted_during_a_run_is_reported(path: Path, registry: Registry) -> None:
    path.unlink()
    with pytest.raises(RegistryError, match="is gone"):
        reserve(registry, 1, "code1")


# The station's key ------------------------------------------------------------------------------------------


def test_an_encrypted_station_key_opens_with_its_password_only(
    path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRSTBOOT_STATION_KEY_PASSWORD", "correct horse")
    finish(registry, 1, "code1")
    registry.close()
    for password, reason in (("", "is encrypted"), ("wrong", "does not open")):
        monkeypatch.setenv("FIRSTBOOT_STATION_KEY_PASSWORD", password)
        with pytest.raises(RegistryError, match=reason) as caught:
            assert Registry(path).signer.key_id
        assert "wrong" not in str(caught.value)
    monkeypatch.setenv("FIRSTBOOT_STATION_KEY_PASSWORD", "correct horse")
    finish(Registry(path), 3, "code3")
    assert Registry(path).verify_chain() == 2


def test_another_key_cannot_continue_a_stations_chain(path: Path, registry: Registry) -> None:
    finish(registry, 1, "code1")
    registry.close()
    path.with_suffix(".db.station.pem").unlink()
    with pytest.raises(RegistryError, match="another key"):
        finish(Registry(path), 2, "code2")


def test_a_key_that_two_draw_at_once_is_the_one_that_was_there_first(tmp_path: Path) -> None:
    create_private(tmp_path / "key", b"first")
    create_private(tmp_path / "key", b"second")
    assert (tmp_path / "key").read_bytes() == b"first" and len(list(tmp_path.iterdir())) == 1


def test_ports_that_finish_their_first_units_at_once_sign_with_one_key(tmp_path: Path) -> None:
    keys, begin = set(), threading.Barrier(8)
    registry = Registry.create(tmp_path / "registry.db")

    def sign() -> None:
        begin.wait(fair_time.stretched(60))
        keys.add(registry.signer.public)

    threads = [threading.Thread(target=sign) for _ in range(8)]
    for thread in threads:
        thread.start()
    joined(*threads)
    registry.close()
    assert len(keys) == 1
