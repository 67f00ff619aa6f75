"""The ship gate and the importer's check: a unit in order ships, and every fault stops it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest import mock

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner, Result

from provisioning.cli import statement as statement_commands
from provisioning.cli.station import app as station_app
from provisioning.compliance.check import SECURITY_TXT, check_serial
from provisioning.compliance.faults import batch_faults
from provisioning.compliance.gate import Refusal, ShipError
from provisioning.compliance.packing import sign_line
from provisioning.keys.file_signer import FileSigner
from provisioning.product.statement_fields import LabelRoute
from provisioning.station import batch_check
from tests.unit.provisioning.compliance.ship_bench import Factory, change
from tests.unit.provisioning.compliance.statement_bench import PRODUCT, TODAY, issue_one, production_keys
from tests.unit.provisioning.station.station_bench import Bench, MemoryUnit

RUNNER = CliRunner()


@pytest.fixture
def factory(tmp_path: Path) -> Factory:
    return Factory(tmp_path)


def aspects(refusals: tuple[Refusal, ...]) -> set[str]:
    assert all(each.sentence.endswith(".") and "\n" not in each.sentence for each in refusals)
    return {each.aspect for each in refusals}


# The gate -------------------------------------------------------------------------------------------------


def test_a_unit_in_order_leaves_and_its_line_names_its_statement(factory: Factory) -> None:
    assert factory.gate().ship(serial=factory.serial) == [factory.serial]
    entry = factory.packing.entries()[0]
    statement = factory.archive.by_sha256(entry["statement"]["sha256"])
    assert statement is not None and (entry["serial"], entry["batch"]) == (factory.serial, statement.batch)
    unit = factory.bench.registry.units()[0]
    assert (
        entry["device_id"] == unit.device_id.hex()
        and entry["statement"]["sha256"] == (unit.statement_sha256 or b"").hex()
    )


def test_shipping_again_writes_no_second_line(factory: Factory) -> None:
    factory.gate().ship(serial=factory.serial)
    assert factory.gate().ship(serial=factory.serial) == [] and len(factory.packing.entries()) == 1


def test_a_batch_leaves_whole_or_not_at_all(factory: Factory) -> None:
    second = factory.make()
    factory.plant("UPDATE unit SET status = 'complete' WHERE serial = :serial", serial=second)
    with pytest.raises(ShipError) as caught:
        factory.gate().ship(batch=PRODUCT.batch)
    assert not factory.packing.entries() and caught.value.refusals
    factory.plant("UPDATE unit SET status = 'passed' WHERE serial = :serial", serial=second)
    assert factory.gate().ship(batch=PRODUCT.batch) == [factory.serial, second]


def test_an_unknown_unit_or_an_empty_batch_is_refused(factory: Factory) -> None:
    for asked in ({"serial": "FB1-999999"}, {"batch": "2099-001"}):
        with pytest.raises(ShipError):
            factory.gate().ship(**asked)


def test_a_unit_with_the_demonstration_statement_never_leaves(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    bench = Bench(tmp_path / "development")
    bench.station().provision(MemoryUnit().stream())
    with pytest.raises(ShipError) as caught:
        factory.gate(registry=bench.registry, keys=bench.keys.anchor_keys()).ship(serial="FB1-000001")
    sentences = " ".join(each.sentence for each in caught.value.refusals)
    assert "may be a demonstration" in sentences and "not for sale" in sentences
    # Removing the development mark in the database does not help.
    change(bench.registry.path, "UPDATE unit SET is_development = 0", {})
    with pytest.raises(ShipError) as caught:
        factory.gate(registry=bench.registry, keys=bench.keys.anchor_keys()).ship(serial="FB1-000001")
    assert "verification" in {each.aspect for each in caught.value.refusals}


@pytest.mark.parametrize(
    ("planted", "aspect"),
    [
        ("UPDATE unit SET is_development = 1", "verification"),
        ("UPDATE unit SET withdrawn_s = 1", "verification"),
        ("DELETE FROM phase_entry WHERE name = 'prove'", "verification"),
        ("UPDATE phase_entry SET outcome = 'FAIL' WHERE name = 'label'", "verification"),
        ("UPDATE unit SET statement_sha256 = :other", "verification"),
        ("UPDATE unit SET statement_sha256 = NULL", "verification"),
        ("UPDATE unit SET image_digest = :other", "verification"),
        ("UPDATE unit SET support_end_day = support_end_day + 1", "verification"),
        ("UPDATE code_fingerprint SET is_live = 0", "uniqueness"),
        ("UPDATE unit SET label_mac = NULL", "uniqueness"),
    ],
)
def test_a_fault_of_a_unit_keeps_it_here(planted: str, aspect: str, factory: Factory) -> None:
    factory.plant(planted, **({"other": secrets.token_bytes(32)} if ":other" in planted else {}))
    assert aspect in aspects(factory.refused())


@pytest.mark.parametrize("column", ["device_certificate", "web_fingerprint", "record_hash", "label_mac"])
def test_a_unit_that_shares_anything_with_another_stays_here(column: str, factory: Factory) -> None:
    factory.make()
    shared = f"UPDATE unit SET {column} = (SELECT {column} FROM unit WHERE serial = :serial)"  # noqa: S608
    factory.plant(shared, serial=factory.serial)
    # The station signed the record's hash: a changed one is found before it is counted.
    assert aspects(factory.refused()) == {"verification" if column == "record_hash" else "uniqueness"}


def test_two_certificates_over_one_key_keep_both_units_here(factory: Factory) -> None:
    """SE-02: the certificates differ, the key does not."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    for serial in (factory.serial, factory.make()):
        certificate = factory.bench.keys.device_ca.issue_from_csr(request.public_bytes(Encoding.DER), serial)
        factory.plant(
            "UPDATE unit SET device_certificate = :made WHERE serial = :serial",
            made=certificate,
            serial=serial,
        )
    assert [each.sentence for each in factory.refused()] == ["Another unit has the same device key (SE-02)."]


def test_a_changed_production_record_stops_everything(factory: Factory) -> None:
    factory.plant("UPDATE production_record SET body = replace(body, 'FB-1', 'FB-2')")
    assert aspects(factory.refused()) == {"verification"}


def test_a_fault_of_the_batch_stops_every_unit_of_it(factory: Factory) -> None:
    found = factory.refused(batch_faults=lambda batch: [f"{batch} was not synced"])
    assert [each.sentence for each in found] == ["Batch 2026-001: 2026-001 was not synced."]


def test_a_changed_archive_stops_everything(factory: Factory) -> None:
    path = factory.archive.statements()[0].folder / "insert.pdf"
    path.chmod(0o644)
    path.write_bytes(b"other")
    assert aspects(factory.refused()) == {"statement"}


def test_a_superseded_statement_keeps_its_units_here(factory: Factory) -> None:
    issue_one(factory.archive.root, factory.signer)
    assert "superseded by FB-1_2026-001_v2" in factory.refused()[0].sentence


def test_a_statement_of_a_signatory_who_is_not_trusted_keeps_its_units_here(
    factory: Factory, tmp_path: Path
) -> None:
    others, _ = production_keys(tmp_path / "other-keys")
    assert aspects(factory.refused(keys=others.anchor_keys())) == {"statement"}


def test_without_a_published_period_nothing_leaves(factory: Factory) -> None:
    assert aspects(factory.refused(register=[])) == {"support period"}


def test_after_the_end_of_the_period_nothing_ships(factory: Factory) -> None:
    end = PRODUCT.support.end_date
    assert aspects(factory.refused(end + dt.timedelta(1))) == {"support period"}
    assert factory.gate(end).ship(serial=factory.serial)


def test_a_label_that_has_expired_keeps_its_units_here(tmp_path: Path) -> None:
    label = LabelRoute("CLS(IoT)", "2", "C-1", TODAY)
    details = dataclasses.replace(
        PRODUCT.statement,
        routes=PRODUCT.statement.routes | {"passwords": "label"},
        labels={"passwords": label},
    )
    factory = Factory(tmp_path, dataclasses.replace(PRODUCT, statement=details))
    assert "SC-09" in factory.refused(TODAY + dt.timedelta(1))[0].sentence
    assert factory.gate(TODAY).ship(serial=factory.serial)


# The importer's check -------------------------------------------------------------------------------------


def test_all_documents_of_a_shipped_unit_are_in_order(factory: Factory) -> None:
    factory.gate().ship(serial=factory.serial)
    digest = factory.archive.statements()[0].sha256
    answers = check_serial(factory.serial, factory.delivery(), digest)
    assert [each.question for each in answers if each.is_yes] == [
        "packing", "statement", "signature", "files", "support period", "contact", "withdrawal", "in the unit",
    ]  # fmt: skip


def tampered_statement(factory: Factory) -> None:
    path = factory.archive.statements()[0].folder / "statement.cose"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"Tallowgate Lighting", b"Tollowgate Lighting"))


def tampered_signature(factory: Factory) -> None:
    path = factory.archive.statements()[0].folder / "statement.cose"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")


def tampered_packing(factory: Factory) -> None:
    path = factory.packing.path
    path.write_text(path.read_text().replace("2026-001", "2026-002"))


def tampered_register(factory: Factory) -> None:
    path = factory.register.path
    path.write_text(path.read_text().replace("2031-12-31", "2030-12-31"))


def edited(name: str) -> Callable[[Factory], None]:
    def tamper(factory: Factory) -> None:
        path = factory.archive.statements()[0].folder / name
        path.chmod(0o644)
        path.write_bytes(path.read_bytes() + b" ")

    return tamper


def forged_signature(factory: Factory) -> None:
    """Return a line whose signature names the station's key and covers the changed line, but is by another key."""
    entry = {name: value for name, value in factory.packing.entries()[0].items() if name != "signature"}
    stranger = FileSigner(ec.generate_private_key(ec.SECP256R1()))
    stranger.key_id = factory.bench.registry.signer.key_id
    factory.packing.append(sign_line(entry | {"serial": "FB1-000778"}, stranger))
    factory.serial = "FB1-000778"


def forged_line(factory: Factory) -> None:
    """Return a line of another signer that is appended to the list, chained as the format requires."""
    entry = dict(factory.packing.entries()[0]) | {"serial": "FB1-000777"}
    factory.packing.append(entry)
    factory.serial = "FB1-000777"


def expired_contact(factory: Factory) -> None:
    path = factory.site / SECURITY_TXT
    path.write_bytes(path.read_bytes().replace(b"2027-", b"2026-"))


@pytest.mark.parametrize(
    ("tamper", "question"),
    [
        (tampered_statement, "signature"),
        (tampered_signature, "signature"),
        (tampered_packing, "packing"),
        (tampered_register, "support period"),
        (expired_contact, "contact"),
        (forged_line, "packing"),
        (forged_signature, "packing"),
        (edited("statement.html"), "files"),
        (edited("insert.pdf"), "files"),
        (edited("statement.json"), "files"),
        (edited("files.cose"), "files"),
        (lambda factory: factory.register.path.unlink(), "support period"),
        (lambda factory: factory.packing.path.unlink(), "packing"),
    ],
)
def test_each_tampering_turns_its_answer_to_no(
    tamper: Callable[[Factory], None], question: str, factory: Factory
) -> None:
    factory.gate().ship(serial=factory.serial)
    delivery = factory.delivery()
    tamper(factory)
    answers = check_serial(factory.serial, delivery)
    assert [each.question for each in answers if not each.is_yes] == [question]


def test_a_serial_that_was_never_shipped_is_a_no(factory: Factory) -> None:
    factory.gate().ship(serial=factory.serial)
    answers = check_serial("FB1-999999", factory.delivery())
    assert [each.is_yes for each in answers] == [False]


def test_another_statement_in_the_unit_is_a_no(factory: Factory) -> None:
    factory.gate().ship(serial=factory.serial)
    answers = check_serial(factory.serial, factory.delivery(), "00" * 32)
    assert [each.question for each in answers if not each.is_yes] == ["in the unit"]


@pytest.mark.parametrize(
    "planted",
    [
        "UPDATE unit SET status = 'quarantined'",
        "UPDATE unit SET withdrawn_s = 1",
        "UPDATE unit SET image_digest = zeroblob(31)",
        "UPDATE unit SET serial = 'FB1-000999'",
    ],
)
def test_the_registry_knows_what_happened_after_a_unit_was_shipped(planted: str, factory: Factory) -> None:
    factory.gate().ship(serial=factory.serial)
    delivery = factory.delivery(registry=factory.bench.registry)
    assert all(each.is_yes for each in check_serial(factory.serial, delivery))
    factory.plant(planted)
    answers = check_serial(factory.serial, delivery)
    assert [each.question for each in answers if not each.is_yes] == ["registry"]


def test_a_reader_who_trusts_another_station_accepts_no_line(factory: Factory) -> None:
    factory.gate().ship(serial=factory.serial)
    answers = check_serial(factory.serial, factory.delivery(stations=factory.bench.keys.anchor_keys()))
    assert [each.is_yes for each in answers] == [False] and "station" in answers[0].sentence


# As commands ----------------------------------------------------------------------------------------------


def ship(factory: Factory, *more: str) -> Result:
    return RUNNER.invoke(
        station_app,
        [
            "ship", "--registry", str(factory.bench.registry.path), "--archive", str(factory.archive.root),
            "--register", str(factory.register.path), "--packing", str(factory.packing.path),
            "--keys", str(factory.bench.keys.directory), "--consignee", "hillside", *more,
        ],
    )  # fmt: skip


def check_codes(factory: Factory) -> Result:
    """Check the factory's batch as a station does, with few small numbers: all of them take a minute."""
    few = partial(batch_check.check_codes, small_numbers=256)
    arguments = ["--registry", str(factory.bench.registry.path), "--batch", PRODUCT.batch]
    with mock.patch("provisioning.cli.station_batch.check_codes", few):
        return RUNNER.invoke(
            station_app, ["check-batch", *arguments, "--labels", str(factory.site / "labels"), "--json"]
        )


@pytest.fixture
def on_this_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioning.cli.station_ship.today_utc", lambda: TODAY)
    monkeypatch.setattr("provisioning.cli.statement_verify.today_utc", lambda: TODAY)


def test_the_ship_command_says_each_reason_and_then_lets_the_unit_go(
    factory: Factory, on_this_day: None
) -> None:
    factory.plant("UPDATE unit SET is_development = 1")
    factory.bench.registry.close_batch(PRODUCT.batch)
    assert check_codes(factory).exit_code == 0
    refused = ship(factory, "--serial", factory.serial, "--json")
    assert refused.exit_code == 1
    assert [each["aspect"] for each in json.loads(refused.stdout)["reasons"]] == ["verification"]
    factory.plant("UPDATE unit SET is_development = 0")
    assert json.loads(ship(factory, "--batch", PRODUCT.batch, "--json").stdout)["serials"] == [factory.serial]
    assert ship(factory).exit_code == 2


def test_nothing_leaves_an_open_batch_or_one_with_an_open_incident(
    factory: Factory, on_this_day: None
) -> None:
    assert "still open" in ship(factory, "--serial", factory.serial).stderr
    factory.bench.registry.close_batch(PRODUCT.batch)
    factory.plant(
        "INSERT INTO incident (kind, batch, text, found_s) VALUES ('code', :batch, 'a code came twice', 1)",
        batch=PRODUCT.batch,
    )
    assert "a code came twice" in ship(factory, "--batch", PRODUCT.batch).stderr
    assert batch_faults(factory.bench.registry, PRODUCT.batch) == ["a code came twice"]


def test_the_verify_command_answers_from_a_serial_number(factory: Factory, on_this_day: None) -> None:
    factory.bench.registry.close_batch(PRODUCT.batch)
    check_codes(factory)
    ship(factory, "--serial", factory.serial)
    delivery = factory.delivery()
    asked = [
        "verify", factory.serial, "--site", str(delivery.site), "--packing", str(delivery.packing),
        "--trust", str(factory.bench.keys.directory / "signatory.pub"),
        "--station", str(factory.packing.path.with_suffix(".station.pub")),
        "--registry", str(factory.bench.registry.path), "--json",
    ]  # fmt: skip
    result = RUNNER.invoke(statement_commands.app, asked)
    assert result.exit_code == 0 and json.loads(result.stdout)["is_in_order"] is True
    tampered_signature(factory)
    assert RUNNER.invoke(statement_commands.app, asked).exit_code == 1
