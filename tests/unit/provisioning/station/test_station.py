"""The whole station against a unit in memory: its actions, its refusals, its files."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import secrets
import sqlite3
from pathlib import Path

import pytest
from cryptography import x509

from device.codec import cbor, cose
from device.limits import STATEMENT_BYTES
from device.owner.setup_code import normalise, verifier
from device.records import identity, support
from device.records.store import STATION_RECORDS
from device.trust import anchors as trust_anchors
from device.trust.signed_record import verify_record
from provisioning.compliance.statement import StatementError
from provisioning.product.product import Support
from provisioning.registry.export import import_sealed, sealed_json
from provisioning.registry.registry import BatchError
from provisioning.servers.oscore_store import OscoreStore
from provisioning.station.phases import Outcome
from provisioning.station.station import Station, StationError, UnitRefusedError, UnitResult
from tests.unit.provisioning.compliance.statement_bench import issue_one, production_keys
from tests.unit.provisioning.station.station_bench import NOW, PRODUCT, Bench, MemoryUnit, failure

PHASES = [
    "link", "identify", "reserve", "personalise", "anchors", "support", "contact", "statement", "servers",
    "oscore", "verify", "label", "lock", "prove", "record",
]  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, MemoryUnit, UnitResult]:
    """A unit that was provisioned once; tests only read it."""
    bench, unit = Bench(tmp_path_factory.mktemp("made")), MemoryUnit()
    return bench, unit, bench.station().provision(unit.stream())


Made = tuple[Bench, MemoryUnit, UnitResult]


def test_every_phase_passes_in_the_stated_order(made: Made) -> None:
    _, _, result = made
    assert [phase.name for phase in result.phases] == PHASES
    assert {phase.outcome for phase in result.phases} == {Outcome.PASS}


def test_the_unit_is_locked_and_holds_every_record(made: Made) -> None:
    _, unit, result = made
    assert unit.is_locked()
    for name in STATION_RECORDS:
        assert unit.store.require(name)
    assert cbor.decode(unit.store.require("sealed"))[1] == result.record_hash


def test_the_unit_knows_its_code_by_the_verifier_only(made: Made) -> None:
    _, unit, result = made
    assert result.setup_code is not None and normalise(result.setup_code) == result.setup_code
    setup = cbor.decode(unit.store.require("setup"))
    assert setup[2] == verifier(result.setup_code, setup[1])
    assert result.setup_code.encode() not in unit.flash.image()


def test_the_device_certificate_names_the_random_device_id_and_nothing_else(made: Made) -> None:
    _, unit, result = made
    certificate = x509.load_der_x509_certificate(unit.store.require("device.crt"))
    assert certificate.subject.rfc4514_string() == f"CN={result.device_id.hex()}"
    assert certificate.not_valid_after_utc.year == 9999
    assert result.serial.encode() not in unit.store.require("device.crt")


def test_the_web_certificate_has_a_key_of_its_own_and_a_random_name(made: Made) -> None:
    _, unit, result = made
    web = x509.load_der_x509_certificate(unit.store.require("web.crt"))
    device = x509.load_der_x509_certificate(unit.store.require("device.crt"))
    assert web.public_key() != device.public_key()
    assert result.device_id.hex() not in web.subject.rfc4514_string()
    assert result.serial.encode() not in unit.store.require("web.crt")


def test_the_signed_records_verify_with_the_units_own_anchors(made: Made) -> None:
    _, unit, _ = made
    anchors = trust_anchors.decode(unit.store.require("anchors"))
    period = support.decode(
        verify_record(unit.store.require("support"), support.TYP, trust_anchors.ROLE_SUPPORT, anchors)
    )
    assert support.date_text(period.end_day) == PRODUCT.support.end_date.isoformat()
    statement = verify_record(
        unit.store.require("statement"),
        "application/vnd.firstboot.statement+json",
        trust_anchors.ROLE_SIGNATORY,
        anchors,
    )
    assert json.loads(statement)["notice"].startswith("NOT A STATEMENT OF COMPLIANCE")


def test_unit_and_coap_server_share_one_secret(made: Made) -> None:
    bench, unit, result = made
    record = cbor.decode(unit.store.require("oscore"))
    store = OscoreStore(bench.directory / "oscore")
    assert import_sealed(sealed_json(bench.registry), bench.server, store) == (1, 0)
    shared = store.find(record[3])
    assert shared is not None and (shared.secret, shared.salt) == (record[1], record[2])
    assert shared.device_id == result.device_id


def test_the_registry_holds_the_unit_as_released_and_not_for_sale(made: Made) -> None:
    bench, _, result = made
    unit = bench.registry.find(device_id=result.device_id)
    assert unit is not None and (unit.status, unit.serial, unit.is_development) == (
        "passed",
        result.serial,
        True,
    )
    assert bench.registry.verify_chain() == 1
    assert [phase.outcome for phase in bench.registry.phases(unit.id)] == ["PASS"] * len(PHASES)


def test_files_with_secrets_are_readable_by_their_owner_only(made: Made) -> None:
    bench, _, result = made
    private = [
        result.label_path,
        bench.directory / "registry.db",
        bench.directory / "registry.db.key",
    ]
    assert {oct(path.stat().st_mode & 0o777) for path in private} == {"0o600"}


def test_the_code_is_in_no_log_registry_error_or_repr(made: Made) -> None:
    bench, _, result = made
    code = result.setup_code or ""
    halves = [code.encode(), code[:8].encode(), code[-8:].encode()]
    places = {"log": "\n".join(bench.log), "repr": repr(result), "phases": repr(result.phases)}
    for path in bench.directory.rglob("*"):
        if path.is_file() and path != result.label_path:
            places[path.name] = path.read_bytes().decode("latin-1")
    for name, text in places.items():
        assert not any(half in text.encode("latin-1", "ignore") for half in halves), name


def test_private_keys_are_in_no_log_or_registry(made: Made) -> None:
    bench, unit, _ = made
    texts = ["\n".join(bench.log).encode(), (bench.directory / "registry.db").read_bytes()]
    for name in ("device.key", "web.key"):
        secret = unit.store.require(name)
        assert not any(secret in text or secret.hex().encode() in text for text in texts)


def test_a_second_run_is_refused_and_changes_nothing(made: Made) -> None:
    bench, unit, result = made
    before = unit.flash.snapshot()
    with pytest.raises(UnitRefusedError, match=f"{result.serial} is locked and has passed"):
        bench.station().provision(unit.stream())
    assert unit.flash.snapshot() == before
    assert bench.registry.verify_chain() == 1


def test_two_units_share_nothing_that_should_be_their_own(bench: Bench) -> None:
    units = [MemoryUnit() for _ in range(3)]
    results = [bench.station().provision(unit.stream()) for unit in units]
    for name in ("device.key", "web.key", "device.crt", "web.crt", "setup", "oscore", "identity"):
        assert len({unit.store.require(name) for unit in units}) == 3, name
    for name in ("anchors", "support", "contact", "statement", "servers"):
        assert len({unit.store.require(name) for unit in units}) == 1, name
    assert len({result.setup_code for result in results}) == 3
    assert [result.serial for result in results] == ["FB1-000001", "FB1-000002", "FB1-000003"]


# Refusals --------------------------------------------------------------------------------------------------


def test_development_keys_are_refused_unless_asked_for(bench: Bench) -> None:
    with pytest.raises(StationError, match="--development"):
        bench.station(development=False)


def production_station(bench: Bench) -> Station:
    """Return a station without development, with a statement that was issued for its batch."""
    bench.keys, signer = production_keys(bench.directory / "production-keys")
    issue_one(bench.directory / "archive", signer)
    return bench.station(development=False, archive_dir=bench.directory / "archive")


def test_a_development_build_is_refused_with_production_keys(bench: Bench) -> None:
    station = production_station(bench)
    caught = failure(lambda: station.provision(MemoryUnit(is_development=True).stream()))
    assert caught.result is not None and caught.result.name == "identify" and caught.outcome is Outcome.FAIL


def test_production_keys_and_build_make_a_unit_for_sale(bench: Bench) -> None:
    result = production_station(bench).provision(MemoryUnit().stream())
    assert not result.is_development


def test_without_an_issued_statement_no_unit_for_sale_is_made(bench: Bench) -> None:
    bench.keys, _ = production_keys(bench.directory / "production-keys")
    with pytest.raises(StatementError, match="no statement was issued"):
        bench.station(development=False, archive_dir=bench.directory / "archive")


def test_a_statement_of_another_signatory_is_not_carried(bench: Bench) -> None:
    bench.keys, _ = production_keys(bench.directory / "production-keys")
    _, stranger = production_keys(bench.directory / "other-keys")
    issue_one(bench.directory / "archive", stranger)
    with pytest.raises(StatementError, match="not signed by a signatory"):
        bench.station(development=False, archive_dir=bench.directory / "archive")


def test_a_unit_without_entropy_is_refused(bench: Bench) -> None:
    unit = MemoryUnit()
    unit.entropy.is_seeded = False
    assert "no entropy" in str(failure(lambda: bench.station().provision(unit.stream())))


def test_another_board_or_image_is_refused(bench: Bench) -> None:
    unit = MemoryUnit()
    assert "not the one of the release" in str(
        failure(lambda: bench.station(expected_image_digest=b"x" * 32).provision(unit.stream()))
    )
    unit.board = "toaster"
    assert "toaster" in str(failure(lambda: bench.station().provision(unit.stream())))


def test_a_stuck_random_source_stops_the_run_before_anything_is_reserved(bench: Bench) -> None:
    station = bench.station(random_bytes=lambda length: b"\x5a" * length)
    caught = failure(lambda: station.provision(MemoryUnit().stream()))
    assert caught.outcome is Outcome.FAIL and "stuck random source" in str(caught)
    assert bench.registry.units() == []


def test_a_code_that_was_generated_before_is_refused_for_every_other_unit(bench: Bench) -> None:
    replay = [secrets.token_bytes(32) for _ in range(2)]

    def source(length: int) -> bytes:
        replay.append(replay.pop(0))
        return replay[-1][:length]

    bench.station(random_bytes=source).provision(MemoryUnit().stream())
    caught = failure(lambda: bench.station(random_bytes=source).provision(MemoryUnit().stream()))
    assert caught.result is not None and caught.result.name == "reserve"
    assert "generated before" in str(caught)
    assert len(bench.registry.units()) == 1


def test_an_expired_support_period_stops_the_batch_from_making_units(bench: Bench) -> None:
    after = NOW + 30 * 365 * 86400
    caught = failure(lambda: bench.station(now=after).provision(MemoryUnit().stream()))
    assert caught.result is not None and caught.result.name == "reserve" and "SP-11" in str(caught)


def test_a_batch_cannot_change_what_it_declares(bench: Bench) -> None:
    bench.station()
    period = dataclasses.replace(PRODUCT.support, end_date=dt.date(2030, 1, 1))
    assert isinstance(period, Support)
    with pytest.raises(BatchError, match="another product definition"):
        bench.station(product=dataclasses.replace(PRODUCT, support=period))


def test_a_closed_batch_makes_no_more_units(bench: Bench) -> None:
    bench.station()
    bench.registry.close_batch(PRODUCT.batch)
    with pytest.raises(BatchError, match="closed"):
        bench.station()


def test_a_locked_unit_that_the_registry_does_not_have_is_not_changed(bench: Bench, tmp_path: Path) -> None:
    unit = MemoryUnit()
    bench.station().provision(unit.stream())
    other = Bench(tmp_path / "other")
    assert "does not know it" in str(failure(lambda: other.station().provision(unit.stream())))


def test_a_locked_unit_that_was_never_sealed_here_fails_and_is_not_called_finished(bench: Bench) -> None:
    unit = MemoryUnit()
    bench.station().provision(unit.stream())
    with sqlite3.connect(bench.registry.path) as connection:  # an old copy of the registry was restored
        connection.execute("UPDATE unit SET status = 'reserved'")
    connection.close()
    caught = failure(lambda: bench.station().provision(unit.stream()))
    assert "not complete" in str(caught) and not isinstance(caught, UnitRefusedError)


def test_a_finished_unit_that_turns_up_unlocked_is_refused(bench: Bench) -> None:
    unit = MemoryUnit()
    bench.station().provision(unit.stream())
    unit.flash.restore({})  # its flash was erased, with the lock
    unit.power_on()
    with pytest.raises(UnitRefusedError, match="has passed"):
        bench.station().provision(unit.stream())


# Consistency ----------------------------------------------------------------------------------------------


def test_the_record_hash_is_the_stations_own_computation(made: Made) -> None:
    _, unit, result = made
    total = hashlib.sha256()
    for name in sorted(STATION_RECORDS):
        data = unit.store.require(name)
        total.update(bytes((len(name),)) + name.encode() + len(data).to_bytes(4, "big") + data)
    assert total.digest() == result.record_hash


def test_the_registry_names_the_statement_by_the_digest_that_the_unit_publishes(made: Made) -> None:
    bench, unit, result = made
    known = bench.registry.find(device_id=result.device_id)
    payload = cose.decode(unit.store.require("statement"), STATEMENT_BYTES).payload
    assert known is not None and known.statement_sha256 == hashlib.sha256(payload).digest()


def test_the_identity_in_the_unit_is_the_one_in_the_registry(made: Made) -> None:
    bench, unit, result = made
    held = identity.decode(unit.store.require("identity"))
    assert (held.device_id, held.serial, held.batch) == (result.device_id, result.serial, PRODUCT.batch)
    assert bench.registry.find(hardware_id=unit.hardware_id) is not None
