"""Stores of releases and of OSCORE units, the tracker's rules, and `firstboot release publish`."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from device import freshness
from device.errors import FreshnessError
from provisioning.publishing.commands import publish_command
from provisioning.publishing.release_class import class_id_of_release
from provisioning.publishing.store import PublishError, ReleaseStore
from provisioning.servers.broker import Broker
from provisioning.servers.oscore_store import OscoreStore, OscoreStoreError
from provisioning.servers.tracker import Report
from provisioning.signing.pki import write_private
from tests.interop.support.maker import CLASS_ID, NOW_S, Maker, freshness_request

pytestmark = pytest.mark.interop


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path, CLASS_ID)


def names(store: ReleaseStore) -> set[str]:
    return {str(path.relative_to(store.directory)) for path in store.directory.rglob("*") if path.is_file()}


# --- release store -----------------------------------------------------------------------------------
def test_a_release_is_stored_under_its_digests(maker: Maker, store: ReleaseStore) -> None:
    release = maker.release(20_000)
    store.put_release(release)
    assert store.read("manifest") == release.envelope
    assert store.read(f"o/{release.payload_digest.hex()}") == release.payload
    assert store.read(f"o/{release.chunk_list_digest.hex()}") == release.chunk_list
    assert store.read(f"o/{release.payload_digest.hex()}", 4096, 10) == release.payload[4096:4106]


def test_the_manifest_is_written_last(
    maker: Maker, store: ReleaseStore, monkeypatch: pytest.MonkeyPatch
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
    store: ReleaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put_support(b"old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        store.put_support(b"new")
    assert store.read("support") == b"old"
    assert names(store) == {"support"}


def test_superseded_objects_are_deleted_and_current_ones_kept(maker: Maker, store: ReleaseStore) -> None:
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
def test_names_that_are_none_are_refused(store: ReleaseStore, name: str) -> None:
    with pytest.raises(PublishError):
        store.put_raw(name, b"x")
    assert store.size(name) is None
    assert names(store) == set()


def test_the_etag_follows_the_content(store: ReleaseStore) -> None:
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
    tracker.now, tracker.newest_manifest = lambda: NOW_S + 9, 8
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


def test_a_report_above_the_bound_is_not_kept(maker: Maker) -> None:
    tracker = maker.tracker()
    assert tracker.take_report("a", "coap", bytes(512))
    assert not tracker.take_report("a", "coap", bytes(513))
    assert len(tracker.reports) == 1


def test_a_damaged_report_has_no_fields() -> None:
    assert Report("a", "mqtt", b"\xff").fields() == {}
    assert Report("a", "mqtt", b"\x01").fields() == {}


# --- firstboot release publish -----------------------------------------------------------------------
@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch):
    app = typer.Typer()
    app.command()(publish_command)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_release_is_published_to_both_and_reported_as_json(
    maker: Maker, broker: Broker, publish, tmp_path: Path
) -> None:
    release = maker.release(20_000)
    release.save(tmp_path / "release")
    access = maker.access(broker.port, "publisher")
    result = publish(
        tmp_path / "release",
        *("--mqtt", f"{access.host}:{access.port}", "--ca", access.ca, "--cert", access.certificate),
        *("--key", access.key, "--name", access.server_name, "--store", tmp_path / "store"),
        *("--remove-superseded", "--json"),
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["published"], report["sequence"], report["class_id"]) == (True, 7, CLASS_ID.hex())
    assert [where["items"] for where in report["destinations"]] == [3, 7]
    assert ReleaseStore(tmp_path / "store", CLASS_ID).read("manifest") == release.envelope


def test_a_folder_that_is_no_release_is_exit_code_1(publish, tmp_path: Path) -> None:
    result = publish(tmp_path, "--store", tmp_path / "store", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["published"] is False


def test_a_support_record_of_another_class_is_not_published(maker: Maker, publish, tmp_path: Path) -> None:
    from device import support
    from provisioning.signing.signer import sign_record

    maker.release(5000).save(tmp_path / "release")
    payload = support.encode(support.SupportRecord(bytes(16), 20000, 1, 0, 30))
    (tmp_path / "support").write_bytes(sign_record(payload, support.TYP, maker.author))
    result = publish(tmp_path / "release", "--store", tmp_path / "store", "--support", tmp_path / "support")
    assert result.exit_code == 1
    assert "another product class" in result.output
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "options",
    [[], ["--mqtt", "host:1"], ["--mqtt", "nowhere"], ["--mqtt", "host:0"], ["--mqtt", "host:65536"]],
)
def test_a_wrong_command_line_is_exit_code_2(publish, tmp_path: Path, options: list[str]) -> None:
    assert publish(tmp_path, *options).exit_code == 2


def test_a_broker_that_is_not_there_is_exit_code_1_and_shows_no_key(
    maker: Maker, publish, tmp_path: Path
) -> None:
    maker.release(5000).save(tmp_path / "release")
    credentials = maker.device_ca.issue_client("publisher")
    write_private(tmp_path / "key", credentials.private_key_pem)
    (tmp_path / "cert").write_bytes(credentials.certificate_pem)
    result = publish(
        tmp_path / "release",
        *(
            "--mqtt",
            "127.0.0.1:1",
            "--ca",
            maker.ca_path,
            "--cert",
            tmp_path / "cert",
            "--key",
            tmp_path / "key",
        ),
    )
    assert result.exit_code == 1
    assert "not published" in result.output
    assert "PRIVATE" not in result.output
