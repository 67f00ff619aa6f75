"""Faults at a station: silent, lying and failing units, labels, people; and valid proofs."""

from __future__ import annotations

import dataclasses
import logging
import secrets
import traceback
from pathlib import Path

import pytest

from device.codec import cbor
from device.factory.factory_port import signed_hello
from device.records import identity
from provisioning.product import record
from provisioning.registry.errors import RegistryError
from provisioning.registry.models import SealedSecret
from provisioning.registry.sealed import ServerPrivateKey
from provisioning.station import labels, steps, steps_lock, steps_records
from provisioning.station.link import HandlerStream
from provisioning.station.phases import CheckFailedError, Limit, Outcome, Phase, no_progress, run_phase
from provisioning.station.run import UnitRun
from provisioning.station.station import StationError
from tests.unit.provisioning.station.station_bench import PRODUCT, Bench, MemoryUnit, failure


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_silent_unit_is_a_timeout(bench: Bench) -> None:
    class Silent:
        def write(self, data: bytes) -> None: ...
        def read(self, timeout_s: float) -> bytes:
            return b""

    caught = failure(lambda: bench.station(timeout_s=0.01).provision(Silent()))
    assert caught.outcome is Outcome.TIMEOUT and [phase.name for phase in caught.phases] == ["link"]


@pytest.mark.parametrize(
    "version",
    ["", "1.0", "1.0.0", "1.0.0+0\n", "\u202e1.0.0+0", "=1.0.0+0", "1.0.0+" + "9" * 30, "[red]1.0.0+0"],
)
def test_a_version_of_another_form_is_refused_before_anything_is_reserved(version: str, bench: Bench) -> None:
    unit = MemoryUnit()
    unit.version = version
    assert "version" in str(failure(lambda: bench.station().provision(unit.stream())))
    assert bench.registry.units() == []


def test_a_unit_that_stores_something_else_fails_the_verification(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = MemoryUnit()
    stream = unit.stream()
    original = steps_records.install("contact")

    def swap(run: UnitRun) -> object:
        measured = original(run)
        unit.store.write("contact", b"something else")
        return measured

    phases = tuple(
        dataclasses.replace(phase, action=swap) if phase.name == "contact" else phase
        for phase in steps.OPEN_PHASES
    )
    monkeypatch.setattr("provisioning.station.station.OPEN_PHASES", phases)
    caught = failure(lambda: bench.station().provision(stream))
    assert caught.result is not None and (caught.result.name, caught.outcome) == ("verify", Outcome.FAIL)
    assert not unit.is_locked()


def test_a_label_that_does_not_read_back_keeps_the_unit_unlocked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = MemoryUnit()
    real = labels.print_label

    def smudge(label: object, path: Path) -> bytes:
        real(dataclasses.replace(label, code=label.code[::-1]), path)  # type: ignore[type-var, attr-defined]
        return b""

    monkeypatch.setattr(labels, "print_label", smudge)
    caught = failure(lambda: bench.station().provision(unit.stream()))
    assert caught.result is not None and (caught.result.name, caught.outcome) == ("label", Outcome.FAIL)
    assert not unit.is_locked()


def test_a_unit_that_claims_the_lock_without_having_it_is_not_released(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = MemoryUnit()
    monkeypatch.setattr(unit, "lock", lambda: None)
    monkeypatch.setattr(steps_lock, "RESTART_S", 0.05)
    caught = failure(lambda: bench.station().provision(unit.stream()))
    assert caught.result is not None and caught.result.name == "prove"
    assert [entry.status for entry in bench.registry.units()] == ["quarantined"]


def test_a_lost_answer_to_the_lock_is_settled_by_the_proof(bench: Bench) -> None:
    unit = MemoryUnit()

    class Deaf:
        """Loses every answer to the lock."""

        def __init__(self) -> None:
            self.inner = unit.stream()

        def write(self, data: bytes) -> None:
            was_locked = unit.is_locked()
            self.inner.write(data)
            if unit.is_locked() and not was_locked:
                self.inner.read(0)

        def read(self, timeout_s: float) -> bytes:
            return self.inner.read(timeout_s)

    result = bench.station().provision(Deaf())
    locks = next(phase for phase in result.phases if phase.name == "lock")
    assert locks.measurements == {"answer": "already locked"}


def test_a_stop_by_the_operator_is_noted_as_aborted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(labels, "print_label", stop)
    with pytest.raises(KeyboardInterrupt):
        bench.station().provision(MemoryUnit().stream())
    unit = bench.registry.units()[0]
    assert [phase.outcome for phase in bench.registry.phases(unit.id)][-1] == "ABORTED"


def test_an_unforeseen_error_is_named_without_its_text(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def burst(*_: object) -> None:
        raise RuntimeError("canary-secret")

    monkeypatch.setattr(labels, "print_label", burst)
    caught = failure(lambda: bench.station().provision(MemoryUnit().stream()))
    assert (caught.outcome, str(caught)) == (Outcome.ERROR, "label: ERROR: RuntimeError")
    shown = "".join(traceback.format_exception(caught))
    assert "canary-secret" not in shown


def test_a_proof_counts_for_its_nonce_unit_and_records_only(bench: Bench) -> None:
    unit = MemoryUnit()
    result = bench.station().provision(unit.stream())
    nonce = secrets.token_bytes(16)
    hello = signed_hello(unit.store, nonce)
    certificate = unit.store.require("device.crt")
    steps_lock.check_hello(hello, nonce, certificate, result.device_id, result.record_hash)
    for changed in (
        (hello, bytes(16), certificate, result.device_id, result.record_hash),
        (hello, nonce, unit.store.require("web.crt"), result.device_id, result.record_hash),
        (hello, nonce, certificate, bytes(16), result.record_hash),
        (hello, nonce, certificate, result.device_id, bytes(32)),
        (hello[:-1] + bytes((hello[-1] ^ 1,)), nonce, certificate, result.device_id, result.record_hash),
        (b"", nonce, certificate, result.device_id, result.record_hash),
    ):
        with pytest.raises(CheckFailedError):
            steps_lock.check_hello(*changed)


# The unit's end state ---------------------------------------------------------------------------------------


def test_a_unit_that_failed_is_quarantined_until_a_person_decides(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = MemoryUnit()
    with monkeypatch.context() as patch:
        patch.setattr(record, "expected_hash", lambda written: bytes(32))
        failure(lambda: bench.station().provision(unit.stream()))
    entry = bench.registry.units()[0]
    assert entry.status == "quarantined" and "record hash" in str(entry.note)
    again = failure(lambda: bench.station().provision(unit.stream()))
    assert again.outcome is Outcome.FAIL and "station rework" in str(again)
    bench.registry.retire(entry.serial, by="E. Example", reason="tried anew")
    result = bench.station().provision(unit.stream())
    assert result.serial != entry.serial and not result.is_resumed


def test_a_failing_label_printer_is_not_blamed_on_the_unit(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = MemoryUnit()

    def jam(*_: object) -> None:
        raise labels.LabelError("no paper")

    with monkeypatch.context() as patch:
        patch.setattr(labels, "print_label", jam)
        assert "no paper" in str(failure(lambda: bench.station().provision(unit.stream())))
    assert bench.station().provision(unit.stream()).is_resumed


@pytest.mark.parametrize("phase", ["reserve", "contact", "verify", "label"])
def test_boards_that_are_swapped_in_a_run_keep_their_own_identities(phase: str, bench: Bench) -> None:
    first, second = MemoryUnit(), MemoryUnit()
    units = [first]

    def swap(name: str, result: object) -> None:
        if name == phase and result is not None:
            units[0] = second

    class Line(HandlerStream):
        def __init__(self) -> None:
            super().__init__(lambda request: units[0].handle(request))  # noqa: PLW0108 - looked up at each request

    caught = failure(lambda: bench.station().provision(Line(), swap))
    assert caught.outcome is Outcome.ABORTED and "replaced by another" in str(caught)
    assert not first.is_locked() and not second.is_locked()
    results = [bench.station().provision(unit.stream()) for unit in (first, second)]
    assert [result.is_resumed for result in results] == [True, False]
    for unit, result in zip((first, second), results, strict=True):
        known = bench.registry.find(hardware_id=unit.hardware_id)
        assert known is not None and known.device_id == result.device_id
        assert identity.decode(unit.store.require("identity")).device_id == result.device_id


def test_a_measurement_outside_its_limits_fails_the_phase(bench: Bench) -> None:
    limited = Phase("count", lambda run: {"repeats": 5}, (Limit("repeats", 0, 4),))
    result, _ = run_phase(limited, None, no_progress)
    assert (result.outcome, result.error) == (Outcome.FAIL, "repeats is 5; the limits are 0 and 4")


def test_a_measurement_that_is_missing_fails_the_phase(bench: Bench) -> None:
    result, _ = run_phase(Phase("count", lambda run: {}, (Limit("repeats", 0, 4),)), None, no_progress)
    assert result.outcome is Outcome.FAIL


def test_the_oscore_secret_opens_with_the_servers_key_only(bench: Bench, tmp_path: Path) -> None:
    server = ServerPrivateKey.create(tmp_path / "server.key", tmp_path / "server.pub")
    unit = MemoryUnit()
    result = bench.station(oscore_key=server.public).provision(unit.stream())
    with bench.registry.reading() as session:
        stored = session.get_one(SealedSecret, result.device_id)
    record = cbor.decode(unit.store.require("oscore"))
    assert server.open(result.device_id, stored.sealed) == (record[1], record[2])
    assert record[1] not in (bench.directory / "registry.db").read_bytes()
    with pytest.raises(RegistryError):
        server.open(bytes(16), stored.sealed)
    other = ServerPrivateKey.create(tmp_path / "other.key", tmp_path / "other.pub")
    with pytest.raises(RegistryError):
        other.open(result.device_id, stored.sealed)


def test_the_station_logs_through_no_logger(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        result = bench.station().provision(MemoryUnit().stream())
    assert (result.setup_code or "") not in caplog.text


def test_a_product_with_a_coap_server_needs_that_servers_key(bench: Bench) -> None:
    with pytest.raises(StationError, match="--oscore-key"):
        bench.station(oscore_key=None)
    only_mqtt = dataclasses.replace(PRODUCT, servers=PRODUCT.servers[:1])
    bench.station(product=only_mqtt, oscore_key=None)
