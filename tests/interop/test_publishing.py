"""Stores of releases and of OSCORE units, and the tracker's rules."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from device.codec import cose
from device.errors import FreshnessError
from device.records import freshness
from provisioning.publishing.release_class import class_id_of_release
from provisioning.release.delta import has_detools
from provisioning.release.folder_store import FolderStore
from provisioning.release.release import build_release
from provisioning.release.store import PublishError
from provisioning.servers.errors import TrackerError
from provisioning.servers.oscore_store import OscoreStore, OscoreStoreError
from provisioning.servers.tracker import Newest, Report, Tracker
from tests.interop.support.maker import CLASS_ID, NOW_S, Maker, freshness_request

pytestmark = pytest.mark.interop


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path, CLASS_ID)


def names(store: FolderStore) -> set[str]:
    return {str(path.relative_to(store.directory)) for path in store.directory.rglob("*") if path.is_file()}


# --- release store -----------------------------------------------------------------------------------
def test_a_release_is_stored_under_its_digests(maker: Maker, store: FolderStore) -> None:
    release = maker.release(20_000)
    store.put_release(release)
    assert store.read("manifest") == release.envelope
    assert store.read(f"o/{release.payload_digest.hex()}") == release.payload
    assert store.read(f"o/{release.chunk_list_digest.hex()}") == release.chunk_list
    part = store.part(f"o/{release.payload_digest.hex()}", 4096, 10)
    assert part is not None and (part.data, part.size) == (release.payload[4096:4106], len(release.payload))


@pytest.mark.skipif(not has_detools(), reason="detools is not installed (make setup builds it)")
def test_a_delta_is_stored_beside_the_firmware_and_kept_when_the_superseded_goes(
    maker: Maker, store: FolderStore
) -> None:
    older = maker.release(9000)
    store.put_release(older)
    release = build_release(
        older.payload + b"more",
        vendor_id=bytes(16),
        class_id=CLASS_ID,
        sequence_number=older.sequence_number + 1,
        signer=maker.author,
        version="2",
        mitigates="a hole",
        interrupts="one restart",
        delta_from=older.payload,
    )
    store.put_release(release)
    assert release.delta is not None
    removed = store.remove_superseded()
    assert f"o/{older.payload_digest.hex()}" in removed
    assert store.read(f"o/{release.delta.digest.hex()}") == release.delta.content
    assert store.read(f"o/{release.delta.chunk_list_digest.hex()}") == release.delta.chunk_list
    assert store.read(f"o/{release.payload_digest.hex()}") == release.payload


def test_the_manifest_is_written_last(
    maker: Maker, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    replace = os.replace
    monkeypatch.setattr(
        os, "replace", lambda source, target: (written.append(Path(target).name), replace(source, target))
    )
    store.put_release(maker.release(5000))
    assert written[-1] == "manifest"
    assert len(written) == 4


def test_a_write_that_fails_leaves_the_old_content(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put_support(b"old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        store.put_support(b"new")
    assert store.read("support") == b"old"
    assert names(store) == {"support"}


def test_superseded_objects_are_deleted_and_current_ones_kept(maker: Maker, store: FolderStore) -> None:
    old, new = maker.release(5000, 1), maker.release(5000, 2)
    assert store.remove_superseded() == []
    store.put_release(old)
    store.put_release(new)
    assert set(store.remove_superseded()) == {
        f"o/{digest.hex()}" for digest in (old.payload_digest, old.chunk_list_digest)
    }
    objects = {f"o/{digest.hex()}" for digest in (new.payload_digest, new.chunk_list_digest)}
    assert names(store) == {"manifest", "current.json", *objects}


@pytest.mark.parametrize(
    "name", ["", "../x", "o/../manifest", "o/" + "A" * 64, "o/" + "0" * 63, "current.json", "manifest\n"]
)
def test_invalid_names_are_refused(store: FolderStore, name: str) -> None:
    with pytest.raises(PublishError):
        store.put_raw(name, b"x")
    assert store.size(name) is None
    assert names(store) == set()


def test_the_etag_follows_the_content(store: FolderStore) -> None:
    store.put_support(b"one")
    first = store.etag("support")
    store.put_support(b"two")
    second = store.etag("support")
    store.put_support(b"one")
    assert first != second
    assert store.etag("support") == first


def test_the_class_of_a_release_is_the_one_it_was_built_for(maker: Maker) -> None:
    assert class_id_of_release(maker.release(5000)) == CLASS_ID


# --- OSCORE units ------------------------------------------------------------------------------------
def test_a_unit_is_found_by_its_sender_id_and_its_files_are_private(tmp_path: Path) -> None:
    units = OscoreStore(tmp_path / "units")
    unit = units.add(b"d" * 16, b"s" * 16, b"t" * 8)
    units.reserve(unit.sender_id, 7)
    assert OscoreStore(tmp_path / "units").find(b"d" * 7) == unit
    for path in (tmp_path / "units").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_secret_is_shown(tmp_path: Path) -> None:
    units = OscoreStore(tmp_path)
    unit = units.add(b"d" * 16, b"canary-secret-16", b"t" * 8)
    (path,) = tmp_path.glob("*.unit")
    path.write_text(path.read_text()[:-5])
    with pytest.raises(OscoreStoreError) as caught:
        units.find(b"d" * 7)
    for text in (repr(unit), str(caught.value), repr(caught.value.__context__)):
        assert "canary" not in text
        assert b"canary-secret-16".hex() not in text


def test_two_units_with_one_sender_id_are_refused(tmp_path: Path) -> None:
    units = OscoreStore(tmp_path)
    units.add(b"d" * 16, b"s" * 16, b"t" * 8)
    with pytest.raises(OscoreStoreError):
        units.add(b"d" * 7 + b"e" * 9, b"s" * 16, b"t" * 8)


def test_wrong_lengths_and_foreign_names_are_refused(tmp_path: Path) -> None:
    units = OscoreStore(tmp_path)
    for arguments in (
        (b"d" * 15, b"s" * 16, b"t" * 8),
        (b"d" * 16, b"s", b"t" * 8),
        (b"d" * 16, b"s" * 16, b""),
    ):
        with pytest.raises(OscoreStoreError):
            units.add(*arguments)
    assert units.find(b"") is None
    assert units.find(b"../../a") is None
    units.add(b"d" * 16, b"s" * 16, b"t" * 8)
    (path,) = tmp_path.glob("*.unit")
    path.rename(tmp_path / (b"e" * 7).hex()).rename(tmp_path / f"{(b'e' * 7).hex()}.unit")
    with pytest.raises(OscoreStoreError):
        units.find(b"e" * 7)


def test_the_servers_numbers_begin_above_what_was_reserved(tmp_path: Path) -> None:
    units = OscoreStore(tmp_path, lambda: 0.0)
    assert units.first_sequence(b"d" * 7) == 0
    units.reserve(b"d" * 7, 512)
    assert OscoreStore(tmp_path, lambda: 0.0).first_sequence(b"d" * 7) == 512


# --- tracker -----------------------------------------------------------------------------------------
def test_a_record_tells_the_time_and_the_newest_numbers_of_now(maker: Maker) -> None:
    tracker = maker.tracker()
    nonce, request = freshness_request()
    tracker.now = lambda: NOW_S + 9
    tracker.classes[CLASS_ID].raise_to(manifest=8)
    payload = maker.verify_freshness(tracker.answer(request))
    assert payload == freshness.encode_payload(CLASS_ID, nonce, NOW_S + 9, 8, 3)


@pytest.mark.parametrize(
    "request_",
    [b"", b"\xa0", b"\xff", bytes(65), freshness_request(bytes(16))[1]],
    ids=["nothing", "an empty map", "a break", "zeros", "another class"],
)
def test_what_is_no_request_of_this_class_is_refused(maker: Maker, request_: bytes) -> None:
    with pytest.raises(FreshnessError):
        maker.tracker().answer(request_)


def test_one_tracker_serves_several_classes_with_numbers_of_their_own(maker: Maker) -> None:
    lamps = bytes(16)
    tracker = Tracker(maker.tracker_signer, {CLASS_ID: Newest(7, 3), lamps: Newest(2, 1)}, now=lambda: NOW_S)
    tracker.classes[lamps].raise_to(manifest=4)
    for class_id, numbers in ((CLASS_ID, (7, 3)), (lamps, (4, 1))):
        nonce, request = freshness_request(class_id)
        assert cose.decode(tracker.answer(request)).payload == freshness.encode_payload(
            class_id, nonce, NOW_S, *numbers
        )


class BrokenToken:
    """A signer whose token was pulled out."""

    algorithm, key_id, public = -9, b"k" * 8, b""

    def sign(self, message: bytes) -> bytes:
        raise OSError("no token")


def test_a_tracker_whose_key_does_not_sign_raises_a_typed_error() -> None:
    tracker = Tracker(BrokenToken(), {CLASS_ID: Newest()}, now=lambda: NOW_S)
    with pytest.raises(TrackerError, match="no token"):
        tracker.answer(freshness_request()[1])


def test_a_report_above_the_bound_is_not_kept(maker: Maker) -> None:
    tracker = maker.tracker()
    assert tracker.take_report("a", "coap", bytes(512))
    assert not tracker.take_report("a", "coap", bytes(513))
    assert len(tracker.reports) == 1


def test_a_damaged_report_has_no_fields() -> None:
    assert Report("a", "mqtt", b"\xff").fields() == {}
    assert Report("a", "mqtt", b"\x01").fields() == {}
