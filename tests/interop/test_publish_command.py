"""`firstboot release publish`: releases and signed records, to a broker and into the CoAP server's store."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from device.records import contact, support
from device.trust import keyset
from device.trust.anchors import NO_RULES, ROLE_ROOT, Key
from provisioning.cli.commands import CommandGroup
from provisioning.cli.release_publish import publish_command
from provisioning.keys.pem import write_private
from provisioning.keys.signer import sign_record
from provisioning.publishing.records import KINDS
from provisioning.release.folder_store import FolderStore
from provisioning.release.release import Release
from provisioning.servers.broker import Broker
from tests.interop.support.maker import CLASS_ID, NOW_S, Maker

pytestmark = pytest.mark.interop


def names(store: FolderStore) -> set[str]:
    return {str(path.relative_to(store.directory)) for path in store.directory.rglob("*") if path.is_file()}


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch):
    app = CommandGroup("Publishes.")
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
    assert FolderStore(tmp_path / "store", CLASS_ID).read("manifest") == release.envelope


def test_a_folder_that_is_no_release_is_exit_code_1(publish, tmp_path: Path) -> None:
    result = publish(tmp_path, "--store", tmp_path / "store", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["published"] is False


def test_a_support_record_of_another_class_is_not_published(maker: Maker, publish, tmp_path: Path) -> None:
    maker.release(5000).save(tmp_path / "release")
    payload = support.encode(support.SupportRecord(bytes(16), 20000, 1, 0, 30))
    (tmp_path / "support").write_bytes(sign_record(payload, support.TYP, maker.author))
    result = publish(tmp_path / "release", "--store", tmp_path / "store", "--support", tmp_path / "support")
    assert result.exit_code == 1
    assert "another product class" in result.output
    assert not (tmp_path / "store").exists()


@pytest.fixture
def records(maker: Maker, tmp_path: Path) -> dict[str, Path]:
    """A signed record of each kind for this maker's class, in files."""
    key = Key(b"root", maker.author.algorithm, ROLE_ROOT, maker.author.public)
    rules = NO_RULES._replace(sequence=3)
    payloads = {
        "keyset": keyset.encode(keyset.KeySet(CLASS_ID, NOW_S, (key,), rules, (), keyset.NO_CEILINGS)),
        "support": support.encode(support.SupportRecord(CLASS_ID, 20000, 1, 0, 30)),
        "contact": contact.encode(
            contact.Contact(2, "https://example.com/report", "in 3 days", "monthly", "https://example.com/p")
        ),
    }
    for kind in KINDS:
        (tmp_path / kind.name).write_bytes(sign_record(payloads[kind.name], kind.typ, maker.author))
    return {name: tmp_path / name for name in payloads}


def options_of(records: dict[str, Path]) -> list[object]:
    return [part for name, path in records.items() for part in (f"--{name}", path)]


def mqtt_options(maker: Maker, broker: Broker) -> list[object]:
    access = maker.access(broker.port, "publisher")
    options = ["--mqtt", f"{access.host}:{access.port}", "--ca", access.ca, "--cert", access.certificate]
    # The tests share a broker, which holds the releases of the others.
    return [*options, "--key", access.key, "--name", access.server_name, "--replace-newer"]


def test_key_set_support_record_and_contact_reach_units_over_both_transports(
    maker: Maker, broker: Broker, publish, records: dict[str, Path], tmp_path: Path
) -> None:
    maker.release(5000).save(tmp_path / "release")
    result = publish(
        tmp_path / "release",
        *mqtt_options(maker, broker),
        "--store",
        tmp_path / "store",
        *options_of(records),
    )
    assert result.exit_code == 0, result.output
    found = FolderStore(tmp_path / "store", CLASS_ID)
    source = maker.mqtt_source(maker.unit(), broker.port)

    async def fetch() -> dict[str, bytes | None]:
        await source.open()
        try:
            return {
                "keyset": await source.keyset(),
                "support": await source.support(),
                "contact": await source.contact(),
            }
        finally:
            await source.close()

    over_mqtt = asyncio.run(fetch())
    for name, path in records.items():
        assert found.read(name) == over_mqtt[name] == path.read_bytes()


def test_records_can_be_published_without_a_release(
    publish, records: dict[str, Path], tmp_path: Path
) -> None:
    result = publish("--store", tmp_path / "store", "--keyset", records["keyset"], "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["class_id"], report["sequence"], report["records"]) == (CLASS_ID.hex(), None, ["keyset"])
    assert names(FolderStore(tmp_path / "store", CLASS_ID)) == {"keyset"}


def test_the_key_set_is_published_before_what_its_keys_sign(
    maker: Maker, publish, records: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    replace = os.replace
    monkeypatch.setattr(
        os, "replace", lambda source, target: (written.append(Path(target).name), replace(source, target))
    )
    maker.release(5000).save(tmp_path / "release")
    written.clear()
    assert publish(tmp_path / "release", "--store", tmp_path / "store", *options_of(records)).exit_code == 0
    assert (written[0], written[-1]) == ("keyset", "manifest")


def test_a_contact_without_a_release_needs_the_class(
    publish, records: dict[str, Path], tmp_path: Path
) -> None:
    result = publish("--store", tmp_path / "store", "--contact", records["contact"])
    assert result.exit_code == 1
    assert "give --product" in result.output
    assert not (tmp_path / "store").exists()


def test_a_record_of_another_kind_is_not_published(publish, records: dict[str, Path], tmp_path: Path) -> None:
    result = publish("--store", tmp_path / "store", "--keyset", records["support"])
    assert result.exit_code == 1
    assert "is not a key set" in result.output
    assert not (tmp_path / "store").exists()


def test_a_file_that_is_no_record_is_not_published(publish, tmp_path: Path) -> None:
    (tmp_path / "junk").write_bytes(b"junk" * 3000)
    result = publish("--store", tmp_path / "store", "--support", tmp_path / "junk")
    assert result.exit_code == 1
    assert "cannot be read" in result.output


def test_superseded_chunks_leave_the_broker_by_the_command(
    maker: Maker, broker: Broker, publish, tmp_path: Path
) -> None:
    old, new = maker.release(20_000, 8), maker.release(20_000, 9)
    for release, folder in ((old, "old"), (new, "new")):
        release.save(tmp_path / folder)
        result = publish(tmp_path / folder, *mqtt_options(maker, broker), "--remove-superseded", "--json")
        assert result.exit_code == 0, result.output
    # Five chunks and the list of the old release; what an earlier test left may be among them as well.
    assert json.loads(result.stdout)["destinations"][0]["removed"] == 6
    source = maker.mqtt_source(maker.unit(), broker.port)

    async def fetch(release: Release) -> bytes | None:
        await source.open()
        try:
            topic = f"fb/{CLASS_ID.hex()}/o/{release.chunk_list_digest.hex()}"
            return await source._retained(topic, 32768)
        finally:
            await source.close()

    assert asyncio.run(fetch(old)) is None
    assert asyncio.run(fetch(new)) == new.chunk_list


@pytest.mark.parametrize(
    "options",
    [[], ["--mqtt", "host:1"], ["--mqtt", "nowhere"], ["--mqtt", "host:0"], ["--mqtt", "host:65536"]],
)
def test_a_wrong_command_line_is_exit_code_2(publish, tmp_path: Path, options: list[str]) -> None:
    assert publish(tmp_path, *options).exit_code == 2


def dead_broker(maker: Maker, folder: Path) -> list[object]:
    credentials = maker.device_ca.issue_client("publisher")
    write_private(folder / "key", credentials.private_key_pem)
    (folder / "cert").write_bytes(credentials.certificate_pem)
    options = ["--mqtt", "127.0.0.1:1", "--ca", maker.ca_path, "--cert", folder / "cert"]
    return [*options, "--key", folder / "key"]


def test_a_broker_that_is_not_there_is_exit_code_1_and_shows_no_key(
    maker: Maker, publish, tmp_path: Path
) -> None:
    maker.release(5000).save(tmp_path / "release")
    result = publish(tmp_path / "release", *dead_broker(maker, tmp_path))
    assert result.exit_code == 1
    assert "Not published" in result.output
    assert "PRIVATE" not in result.output


def test_a_broker_that_fails_does_not_hide_that_the_store_has_the_release(
    maker: Maker, publish, tmp_path: Path
) -> None:
    release = maker.release(5000)
    release.save(tmp_path / "release")
    arguments = [tmp_path / "release", *dead_broker(maker, tmp_path), "--store", tmp_path / "store"]
    result = publish(*arguments, "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    store, broker = report["destinations"]
    assert report["published"] is False and report["sequence"] == 7
    assert (store["to"], store["error"]) == (f"store {tmp_path / 'store'}", None) and store["items"] > 0
    assert broker["to"] == "broker 127.0.0.1:1" and broker["error"] and broker["items"] == 0
    assert FolderStore(tmp_path / "store", CLASS_ID).read("manifest") == release.envelope
    words = publish(*arguments)
    assert words.exit_code == 1
    assert f"store {tmp_path / 'store'}: {store['items']} items published" in words.output
    assert "Not published to broker 127.0.0.1:1" in words.output
    assert f"Published to: store {tmp_path / 'store'}" in words.output


def test_a_store_that_fails_does_not_keep_the_broker_from_getting_the_release(
    maker: Maker, broker: Broker, publish, tmp_path: Path
) -> None:
    maker.release(5000).save(tmp_path / "release")
    (tmp_path / "store").write_text("a file")
    result = publish(
        tmp_path / "release", *mqtt_options(maker, broker), "--store", tmp_path / "store", "--json"
    )
    assert result.exit_code == 1
    store, topics = json.loads(result.stdout)["destinations"]
    assert store["error"] is not None and topics["error"] is None
    assert topics["items"] > 0
