"""The release store: what was published is durable, and an interrupted publish removes nothing that is served."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from device.errors import CborError
from provisioning import file_system
from provisioning.keys import pem
from provisioning.publishing.coap import CoapPublisher
from provisioning.publishing.records import KINDS, SignedRecord
from provisioning.publishing.targets import Parcel, publish_to
from provisioning.release import folder_store as module
from provisioning.release.folder_store import DRAFT_S, FolderStore
from provisioning.release.store import PublishError
from tests.folder_target import folder_target
from tests.unit.provisioning.servers.test_serve_parts import CLASS_ID, release

OLD, NEW = release(1), release(2)
KEYSET = SignedRecord(KINDS[0], b"key set", CLASS_ID)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    made = FolderStore(tmp_path / "made" / "published", CLASS_ID)
    made.put_release(OLD)
    return made


def objects(store: FolderStore) -> set[str]:
    return {path.name for path in (store.directory / "o").iterdir()}


def test_each_file_and_its_name_are_on_disk_before_the_operation_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(module, "sync_folder", synced.append)
    store = FolderStore(tmp_path / "made", CLASS_ID)
    assert {tmp_path, tmp_path / "made", store.directory} <= set(synced)
    synced.clear()
    store.put_release(OLD)
    assert synced.count(store.directory / "o") == len(OLD.whole_objects())
    assert synced[-2:] == [store.directory] * 2, "current.json, then the manifest"


def test_a_publish_that_was_interrupted_before_the_manifest_removes_nothing_that_it_needs(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_raw = store.put_raw

    def put(name: str, data: bytes) -> None:
        if name == "manifest":
            raise OSError(28, "no space left on device")
        put_raw(name, data)

    monkeypatch.setattr(store, "put_raw", put)
    with pytest.raises(OSError, match="no space"):
        store.put_release(NEW)
    before = objects(store)
    with pytest.raises(PublishError, match="interrupted"):
        store.remove_superseded()
    assert objects(store) == before and {one.hex() for one in OLD.whole_objects()} <= before
    monkeypatch.undo()
    store.put_release(NEW)
    store.remove_superseded()
    assert objects(store) == {one.hex() for one in NEW.whole_objects()}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"objects": 3}', b"\xff"])
def test_a_damaged_list_of_objects_is_a_typed_error_and_removes_nothing(
    store: FolderStore, content: bytes
) -> None:
    (store.directory / "current.json").write_bytes(content)
    with pytest.raises(PublishError, match="damaged"):
        store.remove_superseded()
    assert objects(store) == {one.hex() for one in OLD.whole_objects()}


def test_a_store_of_version_0_1_names_no_manifest_and_is_cleaned_as_before(store: FolderStore) -> None:
    path = store.directory / "current.json"
    listed = json.loads(path.read_bytes())
    del listed["manifest"]
    path.write_text(json.dumps(listed))
    (store.directory / "o" / ("0" * 64)).write_bytes(b"old")
    assert store.remove_superseded() == ["o/" + "0" * 64]


def test_drafts_of_a_killed_publisher_are_removed_when_nobody_writes_them_any_more(
    store: FolderStore,
) -> None:
    old, new = store.directory / ".new-old", store.directory / ".new-fresh"
    for path in (old, new):
        path.write_bytes(b"half")
    written_s = old.stat().st_mtime - DRAFT_S - 1
    os.utime(old, (written_s, written_s))
    store.remove_superseded()
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize(
    "error", [OSError(5, "input/output error"), CborError(reason="x"), PublishError("y")]
)
def test_a_target_that_fails_half_way_says_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> int:
        raise error

    monkeypatch.setattr(CoapPublisher, "publish_release", fail)
    first, second = publish_to(
        [
            folder_target(tmp_path / "a"),
            folder_target(tmp_path / "b"),
        ],
        Parcel(CLASS_ID, NEW, [KEYSET]),
    )
    for result in (first, second):
        assert result.error is not None and result.done == ("key set",) and result.items == 1


def test_a_private_key_is_on_disk_when_it_is_written_and_a_crash_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced = tmp_path / "key.pem", list[Path]()
    monkeypatch.setattr(file_system, "sync_folder", synced.append)
    pem.write_private(path, b"first")
    assert synced == [tmp_path] and path.stat().st_mode & 0o777 == 0o600

    def crash(_: int) -> None:
        raise OSError(5, "input/output error")

    monkeypatch.setattr(file_system.os, "fsync", crash)
    with pytest.raises(OSError, match="input/output"):
        pem.write_private(path, b"second")
    assert path.read_bytes() == b"first"
