"""What goes wrong at a station: silent, lying and failing units, labels, people; and what counts as a proof."""

from __future__ import annotations

import dataclasses
import secrets
import traceback
from pathlib import Path

import pytest

from device.factory import signed_hello
from provisioning.factory import steps
from provisioning.factory.phases import CheckFailedError, Outcome
from tests.unit.factory_bench import Bench, MemoryUnit, failure


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


def test_a_unit_that_stores_something_else_fails_the_verification(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = MemoryUnit()
    stream = unit.stream()
    original = steps.install("contact")

    def swap(run: steps.UnitRun) -> object:
        measured = original(run)
        unit.store.write("contact", b"something else")
        return measured

    phases = tuple(
        dataclasses.replace(phase, action=swap) if phase.name == "contact" else phase
        for phase in steps.OPEN_PHASES
    )
    monkeypatch.setattr("provisioning.factory.station.OPEN_PHASES", phases)
    caught = failure(lambda: bench.station().provision(stream))
    assert caught.result is not None and (caught.result.name, caught.outcome) == ("verify", Outcome.FAIL)
    assert not unit.is_locked()


def test_a_label_that_does_not_read_back_keeps_the_unit_unlocked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = MemoryUnit()
    real = steps.labels.print_label

    def smudge(label: object, path: Path) -> bytes:
        real(dataclasses.replace(label, code=label.code[::-1]), path)  # type: ignore[type-var, attr-defined]
        return b""

    monkeypatch.setattr(steps.labels, "print_label", smudge)
    caught = failure(lambda: bench.station().provision(unit.stream()))
    assert caught.result is not None and (caught.result.name, caught.outcome) == ("label", Outcome.FAIL)
    assert not unit.is_locked()


def test_a_unit_that_claims_the_lock_without_having_it_is_not_released(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = MemoryUnit()
    monkeypatch.setattr(unit, "lock", lambda: None)
    monkeypatch.setattr(steps, "RESTART_S", 0.05)
    caught = failure(lambda: bench.station().provision(unit.stream()))
    assert caught.result is not None and caught.result.name == "prove"
    assert [entry.status for entry in bench.registry.units()] == ["sealed"]


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

    monkeypatch.setattr(steps.labels, "print_label", stop)
    with pytest.raises(KeyboardInterrupt):
        bench.station().provision(MemoryUnit().stream())
    unit = bench.registry.units()[0]
    assert [phase.outcome for phase in bench.registry.phases(unit.id)][-1] == "ABORTED"


def test_an_unforeseen_error_is_named_without_its_text(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def burst(*_: object) -> None:
        raise RuntimeError("canary-secret")

    monkeypatch.setattr(steps.labels, "print_label", burst)
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
    steps.check_hello(hello, nonce, certificate, result.device_id, result.record_hash)
    for changed in (
        (hello, bytes(16), certificate, result.device_id, result.record_hash),
        (hello, nonce, unit.store.require("web.crt"), result.device_id, result.record_hash),
        (hello, nonce, certificate, bytes(16), result.record_hash),
        (hello, nonce, certificate, result.device_id, bytes(32)),
        (hello[:-1] + bytes((hello[-1] ^ 1,)), nonce, certificate, result.device_id, result.record_hash),
        (b"", nonce, certificate, result.device_id, result.record_hash),
    ):
        with pytest.raises(CheckFailedError):
            steps.check_hello(*changed)
